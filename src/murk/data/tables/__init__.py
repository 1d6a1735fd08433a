"""Tables of examples or votes: files opened without trust, columns recognised, rows as examples, cells as votes."""

from murk.data.tables.columns import Columns, Roles, found_columns
from murk.data.tables.parquet_numbers import ParquetNumbers
from murk.data.tables.table import found_in_table
from murk.data.tables.table_columns import Table
from murk.data.tables.table_file import PARQUET_ENDINGS, TABLE_ENDINGS, facts_beside, open_table
from murk.data.tables.vote_columns import read_vote_table

__all__ = [
    "PARQUET_ENDINGS",
    "TABLE_ENDINGS",
    "Columns",
    "ParquetNumbers",
    "Roles",
    "Table",
    "facts_beside",
    "found_columns",
    "found_in_table",
    "open_table",
    "read_vote_table",
]
