"""Tuners that peft lacks on encoder-decoder models; importing this package makes peft know them."""

from mtpeft.methods.adalink_adapter import AdaLinkConfig, AdaLinkModel
from mtpeft.methods.base_adapter import SIZED, TunerType, register
from mtpeft.methods.bitfit_adapter import BitFitConfig, BitFitModel
from mtpeft.methods.bottleneck_adapter import BottleneckConfig, BottleneckModel
from mtpeft.methods.context_adapter import ContextConfig, ContextModel
from mtpeft.methods.copies_adapter import CopiesConfig, CopiesModel
from mtpeft.methods.dept_adapter import DeptConfig, DeptModel
from mtpeft.methods.dsee_adapter import DseeConfig, DseeModel
from mtpeft.methods.embeddings_adapter import EmbeddingsConfig, EmbeddingsModel
from mtpeft.methods.layernorm_adapter import WideNormConfig, WideNormModel
from mtpeft.methods.lora_adapter import LoraEmbeddingsConfig, LoraEmbeddingsModel
from mtpeft.methods.mam_adapter import MamConfig, MamModel
from mtpeft.methods.p_tuning_adapter import PromptNetworkConfig, PromptNetworkModel
from mtpeft.methods.peft.sized_adapter import register_sized
from mtpeft.methods.prefix_adapter import PrefixConfig, PrefixModel
from mtpeft.methods.prompt_adapter import PromptConfig, PromptModel
from mtpeft.methods.sequence_prefix_adapter import SequencePrefixConfig, SequencePrefixModel
from mtpeft.methods.ssf_adapter import SsfConfig, SsfModel

register(BottleneckConfig, BottleneckModel)
register(BitFitConfig, BitFitModel)
register(EmbeddingsConfig, EmbeddingsModel)
register(LoraEmbeddingsConfig, LoraEmbeddingsModel)
register(PrefixConfig, PrefixModel)
register(SequencePrefixConfig, SequencePrefixModel)
register(PromptConfig, PromptModel)
register(PromptNetworkConfig, PromptNetworkModel)
register(DeptConfig, DeptModel)
register(AdaLinkConfig, AdaLinkModel)
register(WideNormConfig, WideNormModel)
register(CopiesConfig, CopiesModel)
register(SsfConfig, SsfModel)
register(DseeConfig, DseeModel)
register(MamConfig, MamModel)
register(ContextConfig, ContextModel)
for tuner_type in TunerType:
    if tuner_type.startswith(SIZED):
        register_sized(tuner_type.removeprefix(SIZED))
