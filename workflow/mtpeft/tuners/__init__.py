"""Tuners that peft lacks on encoder-decoder models; importing this package makes peft know them."""

from mtpeft.tuners.adalink import AdaLinkConfig, AdaLinkModel
from mtpeft.tuners.bitfit import BitFitConfig, BitFitModel
from mtpeft.tuners.bottleneck import BottleneckConfig, BottleneckModel
from mtpeft.tuners.context import ContextConfig, ContextModel
from mtpeft.tuners.copies import CopiesConfig, CopiesModel
from mtpeft.tuners.dept import DeptConfig, DeptModel
from mtpeft.tuners.dsee import DseeConfig, DseeModel
from mtpeft.tuners.embeddings import EmbeddingsConfig, EmbeddingsModel
from mtpeft.tuners.lora_embeddings import LoraEmbeddingsConfig, LoraEmbeddingsModel
from mtpeft.tuners.mam import MamConfig, MamModel
from mtpeft.tuners.prefix import PrefixConfig, PrefixModel
from mtpeft.tuners.prompt import PromptConfig, PromptModel
from mtpeft.tuners.prompt_network import PromptNetworkConfig, PromptNetworkModel
from mtpeft.tuners.register import register
from mtpeft.tuners.sequence_prefix import SequencePrefixConfig, SequencePrefixModel
from mtpeft.tuners.sized import register_sized
from mtpeft.tuners.ssf import SsfConfig, SsfModel
from mtpeft.tuners.types import SIZED, TunerType
from mtpeft.tuners.wide_norm import WideNormConfig, WideNormModel

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
