"""The effective rank of a matrix: how many directions its rows use, and how evenly.

It is exp(H(p)) with p the singular values divided by their sum and H the entropy in nats (Roy & Vetterli 2007, The
effective rank: a measure of effective dimensionality): 1 where all rows lie on one line, and the width where all
directions are used alike.
"""

import math
from dataclasses import dataclass, field

import torch


@dataclass
class RowsSeen:
    """What is kept of the rows of a matrix of any length: their number, and their products with each other's columns.

    The rows are not centred: their mean is a direction as well.

    Attributes:
        count: number of rows.
        products: transposed matrix times matrix, (width, width) in double precision, whose eigenvalues are the squares
            of the singular values.
    """

    count: int = 0
    products: torch.Tensor | None = field(default=None, repr=False)

    def add(self, rows: torch.Tensor) -> None:
        """Add rows of shape (rows, width)."""
        exact = rows.double()
        products = exact.T @ exact
        self.products = products if self.products is None else self.products + products
        self.count += len(rows)

    @property
    def effective_rank(self) -> float:
        """Between 1 and the width; 0 where every row is nought or there is none."""
        if self.products is None:
            return 0.0
        singular = torch.linalg.eigvalsh(self.products.cpu()).clamp_min(0).sqrt()
        total = singular.sum()
        if not total:
            return 0.0
        shares = singular / total
        return math.exp(float(torch.special.entr(shares).sum()))
