"""Our bottleneck adapters against those of the library `adapters`, weight for weight, on tiny random models.

The library needs an older transformers than the workflow, so its half runs in an environment of its own:

    python -m venv other && other/bin/pip install torch==2.13.0 adapters==1.3.0
    other/bin/python tests/against/adapters_library.py write pairs
    .venv/bin/python tests/against/adapters_library.py check pairs

`write` builds BART, mBART, T5 and mT5 with the library's adapters of random weights, and keeps both and their logits;
`check` puts the same weights into ours and compares. What it said with these versions (largest difference of logits,
beside the largest logit) stands in `adapters_library.txt`. Three things differ by design. By default the library has no
adapter after cross-attention, so ours is kept at zero there. Its `seq_bn` reads the sum of block and residual, so it
is asked for the block alone (`original_ln_before=False`). Its parallel adapter reads what the layer norm before a block
reads, ours what the block reads (He et al. 2021 have tried both), so these are compared in BART, which has no norm
there.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

SIDES = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
T5 = {"d_model": 32, "d_kv": 8, "num_heads": 2, "d_ff": 48, "num_layers": 2, "decoder_start_token_id": 0}
MODELS: dict[str, dict[str, Any]] = {
    "bart": {"d_model": 32, "max_position_embeddings": 40, "init_std": 0.2, **SIDES, **HEADS},
    "mbart": {"d_model": 32, "max_position_embeddings": 40, "init_std": 0.2, **SIDES, **HEADS},
    "t5": T5,
    # Transformers of today ties mT5's output projection whatever the configuration says, the library's does not.
    "mt5": {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": True},
}
KINDS: dict[str, dict[str, Any]] = {
    "houlsby": {"placement": "houlsby"},
    "pfeiffer": {"placement": "pfeiffer"},
    "parallel": {"placement": "parallel", "scaling": 4.0},
}
PAIRS = [("bart", "parallel"), *((name, kind) for name in MODELS for kind in ("houlsby", "pfeiffer"))]
VOCABULARY, BOTTLENECK = 61, 4
INPUTS = torch.randint(5, 60, (2, 7), generator=torch.Generator().manual_seed(1))
TARGETS = torch.randint(5, 60, (2, 6), generator=torch.Generator().manual_seed(2))


def _model(name: str) -> torch.nn.Module:
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(3)
    config = AutoConfig.for_model(name, vocab_size=VOCABULARY, **MODELS[name])
    return AutoModelForSeq2SeqLM.from_config(config).eval()


@torch.no_grad()
def _logits(model: torch.nn.Module) -> torch.Tensor:
    return model(input_ids=INPUTS, decoder_input_ids=TARGETS, use_cache=False).logits


@torch.no_grad()
def write(folder: Path) -> None:
    """The library's half: weights of bases and adapters, and what they compute."""
    import adapters

    configs = {
        "houlsby": adapters.DoubleSeqBnConfig(reduction_factor=32 / BOTTLENECK, non_linearity="relu"),
        "pfeiffer": adapters.SeqBnConfig(
            reduction_factor=32 / BOTTLENECK, non_linearity="relu", original_ln_before=False
        ),
        "parallel": adapters.ParBnConfig(reduction_factor=32 / BOTTLENECK, non_linearity="relu", scaling=4.0),
    }
    for name, kind in PAIRS:
        model = _model(name)
        base = {key: weight.clone() for key, weight in model.state_dict().items()}
        adapters.init(model)
        model.add_adapter("a", config=configs[kind])
        model.set_active_adapters("a")
        torch.manual_seed(4)
        own = {key: weight for key, weight in model.named_parameters() if ".adapters.a." in key}
        for weight in own.values():
            weight.copy_(0.3 * torch.randn_like(weight))
        place = folder / f"{name}-{kind}"
        place.mkdir(parents=True)
        save_file({key: weight.contiguous().clone() for key, weight in base.items()}, place / "base.safetensors")
        save_file({key: weight.contiguous().clone() for key, weight in own.items()}, place / "own.safetensors")
        save_file({"logits": _logits(model)}, place / "logits.safetensors")
        print(name, kind, len(own), "tensors")


@torch.no_grad()
def check(folder: Path) -> None:
    """Our half: the same weights in our adapters."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "workflow"))
    from mtpeft.methods import options_of
    from mtpeft.methods.adapter import ADAPTER
    from mtpeft.models.families import read_shape

    for name, kind in PAIRS:
        place = folder / f"{name}-{kind}"
        model = _model(name)
        model.load_state_dict(load_file(place / "base.safetensors"))
        given = options_of({"method": "adapter", "activation": "relu", **KINDS[kind]})
        # BART is none of our families, and has its layers where mBART has them.
        config = model.config.to_dict() | ({"model_type": "mbart"} if name == "bart" else {})
        sites = ADAPTER.target_modules(read_shape(config), given)
        tuned = ADAPTER.apply(model, {site.module: BOTTLENECK for site in sites}, given).eval()
        own = load_file(place / "own.safetensors")
        used = sum(_copy(tuned, site.module, own) for site in sites)
        assert used == len(own), f"{len(own) - used} tensors have no place"
        # Where it is tied, the library's transformers scales what mT5 gives to it, that of today does not.
        scale = model.config.d_model**-0.5 if name == "mt5" else 1.0
        found, expected = scale * _logits(tuned), load_file(place / "logits.safetensors")["logits"]
        plain = scale * _logits(tuned.unload())
        print(
            f"{name:6}{kind:10}{(found - expected).abs().max():.1e} of {expected.abs().max():.2f}, "
            f"without adapters {(plain - expected).abs().max():.2f}"
        )


def _copy(tuned: torch.nn.Module, module: str, own: dict[str, torch.Tensor]) -> int:
    """Copy the library's weights into the adapter at a module of ours; returns how many there were."""
    wrapper = tuned.get_base_model().get_submodule(module)
    parts = module.split(".")
    if parts[-2] in ("encoder_attn", "EncDecAttention"):
        wrapper.bottleneck_up["default"].weight.zero_()
        wrapper.bottleneck_up["default"].bias.zero_()
        return 0
    if parts[0] == "model":
        kind = "output_adapters" if parts[-1] == "fc2" else "attention_adapters"
        place = f"{'.'.join(parts[:4])}.{kind}"
    else:
        place = ".".join(parts[:5])
    pieces = {"adapter_down.0": wrapper.bottleneck_down["default"], "adapter_up": wrapper.bottleneck_up["default"]}
    keys = [key for key in own if key.startswith(f"{place}.adapters.a.")]
    for key in keys:
        piece, kind = key.split(".adapters.a.")[1].rsplit(".", 1)
        getattr(pieces[piece], kind).copy_(own[key])
    return len(keys)


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
