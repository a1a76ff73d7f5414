"""The one exception that a user is meant to see."""


class UserError(Exception):
    """A mistake that the user can mend: its text is one sentence that names the key or the file and says what to write.

    The command line prints the text alone and exits with code 2.
    """
