"""Methods that peft has already: `tuner` is the name of its type, in capitals."""

from mtpeft.methods.base import Method
from mtpeft.methods.peft.adalora import ADALORA
from mtpeft.methods.peft.low_rank import LOW_RANK
from mtpeft.methods.peft.points import POINTS
from mtpeft.methods.peft.rotations import ROTATIONS
from mtpeft.methods.peft.row import method_as_one, method_by_layer
from mtpeft.methods.peft.shared import SHARED
from mtpeft.methods.peft.sparse import SPARSE

FROM_PEFT: tuple[Method, ...] = (
    ADALORA,
    *map(method_by_layer, (*LOW_RANK, *ROTATIONS, *SPARSE)),
    *map(method_as_one, SHARED),
    *POINTS,
)
