"""The configuration of students of Marian, which is registered with transformers; see `mtpeft.models.student`."""

from transformers import MarianConfig


class StudentConfig(MarianConfig):
    """The configuration of a student: that of Marian's models."""

    model_type = "student"


def register_config() -> None:
    """Let `AutoConfig` read the config.json of a student."""
    from transformers import AutoConfig

    AutoConfig.register(StudentConfig.model_type, StudentConfig, exist_ok=True)
