"""The records that the steps write, one JSON file each; `workflow/schemas/` holds their JSON schemas."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mtpeft.core.section import later

Status = Literal["ok", "diverged"]


class Record(BaseModel):
    """A record with known keys, no more and no less."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CellRecord(Record):
    """What a step has made of a cell: its labels, whether it has diverged, and the params of the step."""

    cell: dict[str, str]
    status: Status
    params: dict[str, Any]


class ModelRecord(Record):
    """A base model: `base.json`; `exposure` says in words whether it may have read the test sets."""

    model: str
    folder: str
    params: dict[str, Any]
    execution: dict[str, Any]
    versions: dict[str, str]
    total_parameters: int
    sha256: dict[str, str]
    training: dict[str, Any]
    exposure: str
    origin: dict[str, Any] = {}


class HeldOutRecord(Record):
    """The params that decided which sentences of a corpus a model has not read, and the hash of the split."""

    split: dict[str, Any]
    clean: dict[str, Any]
    wheels: dict[str, dict[str, Any]]
    files: dict[str, dict[str, Any]]
    mtdata: dict[str, Any] | None = later(None)
    split_sha256: str


class DataRecord(Record):
    """The text of a model that comes with the project: `data.json`.

    Each pair has the numbers of its rows by part, what was taken out, the histogram of its rows' similarities to dev
    and test sentences after that, in ten bins from 0 to 1, and hashes.
    """

    pairs: dict[str, dict[str, Any]]
    corpora: dict[str, HeldOutRecord]


class Translation(Record):
    """A sentence with its translations by a model and by a person."""

    source: str
    hypothesis: str
    reference: str


class AtWork(Record):
    """A base model at work on a dev set: how it reads the first sentence, what decoding begins with, translations.

    `doubts` are sentences about what a translation model does not do.
    """

    source_tokens: list[str]
    decoding_begins_with: list[str]
    examples: list[Translation]
    doubts: list[str]


class StartRecord(Record):
    """A base model before anything of it is trained: `start/<pair>.json`; older records lack `at_work`."""

    params: dict[str, Any]
    inputs: dict[str, str]
    dev_score: float
    at_work: AtWork | None = None


class Trial(Record):
    """One training of a search for a learning rate, on a pair with a seed, which older records lack.

    `seconds` have passed, and so many of a processor were used, which older records lack as well.
    """

    learning_rate: float
    pair: str | None = None
    seed: int | None = None
    status: Status
    best_step: int
    dev_history: list[dict[str, float]]
    seconds: float
    processor_seconds: float | None = None


class RateScore(Record):
    """Best dev scores of the trials of a rate, step 0 not counted: their mean, and their standard deviation, which one
    trial does not have; no mean where a trial diverged.
    """

    learning_rate: float
    mean: float | None
    spread: float | None


class RateRecord(Record):
    """A search for the learning rate of a model, size, method and budget; `at_edge` if no rate beyond it was tried.

    The rate with the highest mean in `scores` is chosen; older records have none, since each rate had one trial.
    """

    labels: dict[str, str]
    params: dict[str, Any]
    execution: dict[str, Any]
    versions: dict[str, str]
    inputs: dict[str, str]
    trials: list[Trial]
    scores: list[RateScore] = []
    learning_rate: float
    at_edge: bool


class TrainRecord(CellRecord):
    """A trained cell: `train.json`. Times are seconds, memory is MB, stored size is bytes.

    `processor_seconds` is the time of a processor that the process used, which other work on the machine does not make
    longer; None in older records, as in those of decoding.

    `attempts` of `execution` has an entry for every start of its trainer, and `made` the SHA-256 of the files in
    `tuned/`; older records lack both. `draw` is the seed that has drawn its sentence pairs, or `fixed`; None where it
    has read none, and in older records. `padding` is the share of padding among the positions that were computed, None
    in older records. `places` says in how many of the places of its method it trains something, such
    as `18 of 20`.
    """

    execution: dict[str, Any]
    versions: dict[str, str]
    inputs: dict[str, str]
    total_parameters: int | None
    trained_parameters: int
    budget_requested: float | None
    budget_achieved: float | None
    left_over_parameters: int
    sizes: dict[str, int]
    places: str = ""
    training_pairs: int
    draw: str | None = None
    learning_rate: float | None
    updates: int
    best_step: int | None
    dev_history: list[dict[str, float]]
    starts: int
    train_seconds: float
    processor_seconds: float | None = None
    tokens_per_second: float
    padding: float | None = None
    peak_memory_mb: float
    stored_bytes: int
    made: dict[str, str] | None = None


class CalibrationRecord(Record):
    """Some updates and a decoded batch, measured on this machine: `results/calibration/<model>/<method>.json`.

    The updates took `update_seconds` together, and so many seconds of a processor. An epoch has `pairs` sentence pairs.
    Both texts have the counts of
    `mtpeft.data.token_counts` by side: `trained_text` of all updates, `decoded_text` with the hypotheses as targets.
    """

    labels: dict[str, str]
    params: dict[str, Any]
    execution: dict[str, Any]
    versions: dict[str, str]
    inputs: dict[str, str]
    updates: int
    update_seconds: float
    update_processor_seconds: float
    pairs: int
    trained_text: dict[str, dict[str, int]]
    decoded_text: dict[str, dict[str, int]]
    decode_seconds: float
    decode_processor_seconds: float
    peak_memory_mb: float


class DecodeRecord(CellRecord):
    """A decoded cell: `decode.json`; `trained_sha256` is the hash of the train.json that it belongs to."""

    trained_sha256: str
    versions: dict[str, str]
    execution: dict[str, Any]
    test_sets: dict[str, dict[str, Any]]
    decode_seconds: float
    processor_seconds: float | None = None
    sentences_per_second: float


class ScoreRecord(CellRecord):
    """A scored cell: `score.json`; `decoded_sha256` is the hash of the decode.json that it belongs to.

    The `statistics` of a metric hold one row of counts per sentence, from which resampling starts. `references` are the
    hashes of the test sets, which older records lack.
    """

    decoded_sha256: str
    references: dict[str, str] = {}
    versions: dict[str, str]
    test_sets: dict[str, dict[str, Any]]


class RepresentationRecord(CellRecord):
    """Hidden states of a cell's layers on the dev set: `representations.json`.

    By side of the model, `tokens` counts the rows that were measured and `effective_rank` has a number per layer, both
    empty where the cell has diverged. `resampled_rank` has that of the last layer for resampled sentences, the same for
    all cells of a pair, where a claim asks for it. `trained_sha256` is the hash of the train.json that it belongs to.
    """

    trained_sha256: str
    inputs: dict[str, str]
    versions: dict[str, str]
    execution: dict[str, Any]
    tokens: dict[str, int]
    effective_rank: dict[str, list[float]]
    resampled_rank: dict[str, list[float]] = later({})


class ExpertsRecord(CellRecord):
    """The experts that a cell's feed-forward blocks are split into: `experts.json`.

    So many `sentences` of the training text were read. `active_units` has the share of hidden units that are not zero,
    mean over tokens, by the name of a block's first layer. `trained_sha256` is the hash of the train.json that it
    belongs to, `made` that of the file with the experts and their routers.
    """

    trained_sha256: str
    inputs: dict[str, str]
    versions: dict[str, str]
    execution: dict[str, Any]
    sentences: int
    active_units: dict[str, float]
    made: dict[str, str]


class ServedRecord(DecodeRecord):
    """A cell decoded with some of its experts: `served.json`.

    `operations` counts multiplications and additions of the feed-forward blocks for all tokens, padding included: what
    was computed of the base model's `layers` and by the `router`, and what the `whole` layers take for the same tokens.
    A layer in whose place a method has weights of its own is computed whole, and counts so. `experts_sha256` is the
    hash of the experts.json that it belongs to.
    """

    experts_sha256: str
    operations: dict[str, int]


class MetricRecord(CellRecord):
    """A cell scored by a metric with an environment of its own, such as COMET: `comet-<digest>.json`.

    Hashes are those of the decode.json and of the record of the metric's model.

    Each test set has the number of its `sentences`, their scores in `segments`, and as `score` the mean of these. The
    model's `name` is that in the configuration, and `model` holds the hashes of its files.
    """

    decoded_sha256: str
    model_sha256: str
    references: dict[str, str]
    name: str
    model: dict[str, str]
    versions: dict[str, str]
    execution: dict[str, Any]
    test_sets: dict[str, dict[str, Any]]


class SimilarityRecord(Record):
    """Similarities of a pair's test sentences to the training text of cells: `similarity/<pair>.json`.

    `subsets` has for the hash of each subset the greatest similarity of each test sentence to a sentence of it.
    """

    pair: str
    params: dict[str, Any]
    subsets: dict[str, list[float]]
