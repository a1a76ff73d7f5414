"""Datasets that mtdata knows: its index says where they lie and its parsers read them, the download is our own.

mtdata 0.5.1 starts every download from nothing after a break, checks no hash, gives up the check of certificates where
that fails, and unpacks the whole of a tar archive wherever its links point. So files come through `download`, and only
the members that a dataset consists of are read out of archives.
"""

from mtpeft.data.sources.mtdata.source import MTDATA

__all__ = ["MTDATA"]
