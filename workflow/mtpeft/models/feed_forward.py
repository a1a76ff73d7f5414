"""Feed-forward blocks that can be split into experts, and the operations of such a block, in closed form.

Zhang et al. 2022, MoEfication: Transformer Feed-forward Layers are Mixtures of Experts (arXiv 2110.01786), split the
hidden units of a trained block into experts of equal size, of which a router chooses some for each token. A unit that
is not computed counts as zero, which only a function such as ReLU gives by itself. So only blocks with ReLU are split.
"""

from dataclasses import dataclass
from typing import Literal

from mtpeft.core.errors import UserError
from mtpeft.models.architecture import ModelShape

RELU = "relu"
ROUTER_WIDTH = 128
"""Hidden units of the router `mlp`."""
ROUTER_EPOCHS = 20
"""Times that it reads the tokens that it is trained on."""
PER_WEIGHT = 2
"""Operations of a weight for each token: a multiplication and an addition."""
Router = Literal["oracle", "similarity", "mlp"]


@dataclass(frozen=True)
class FeedForward:
    """A feed-forward block of two linear layers.

    Attributes:
        opening: name of the first layer.
        closing: name of the second layer.
        width: of the model.
        hidden: number of hidden units.
    """

    opening: str
    closing: str
    width: int
    hidden: int


@dataclass(frozen=True)
class BlockOperations:
    """Operations of a block for one token, where biases, activations and the choice of the highest scores are left out.

    Attributes:
        router: what the router computes.
        opening: of the first layer.
        closing: of the second layer.
    """

    router: int
    opening: int
    closing: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.router + self.opening + self.closing


def reason_against_experts(shape: ModelShape, experts: int) -> str | None:
    """Say why the blocks of a model can't be split into so many experts; None where they can."""
    if shape.activation != RELU:
        return f"have the activation '{shape.activation}', and only with '{RELU}' is a unit that is not computed zero"
    if uneven := sorted({block.hidden for block in _blocks(shape) if block.hidden % experts}):
        return f"have {', '.join(map(str, uneven))} hidden units, which {experts} experts can't share evenly"
    return None


def expert_blocks(shape: ModelShape, experts: int) -> tuple[FeedForward, ...]:
    """Return the feed-forward blocks of a model, all of which can be split into so many experts of equal size.

    Raises:
        UserError: their activation is not ReLU, or they can't be split evenly.
    """
    if reason := reason_against_experts(shape, experts):
        raise UserError(f"The feed-forward blocks of this model {reason}; serve another model or change 'serving.moe'.")
    return _blocks(shape)


def _blocks(shape: ModelShape) -> tuple[FeedForward, ...]:
    layers = [linear for linear in shape.linears if linear.role == "feed_forward"]
    pairs = zip(layers[::2], layers[1::2], strict=True)
    return tuple(FeedForward(first.module, last.module, first.inputs, first.outputs) for first, last in pairs)


def block_operations(block: FeedForward, *, experts: int, active: int, router: Router) -> BlockOperations:
    """Return the operations of a block for one token of which so many experts are computed.

    Where all experts are active, there is nothing to choose. The oracle needs all hidden units to choose by.
    """
    opening = closing = PER_WEIGHT * block.width * block.hidden
    if active == experts:
        return BlockOperations(0, opening, closing)
    choice = {
        "oracle": 0,
        "similarity": PER_WEIGHT * block.width * experts,
        "mlp": PER_WEIGHT * ROUTER_WIDTH * (block.width + experts),
    }[router]
    part = closing * active // experts
    return BlockOperations(choice, opening if router == "oracle" else part, part)
