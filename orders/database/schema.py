"""How long a migration waits for its locks, so that it never holds up the shop that runs beside it.

A statement that changes a table waits for whoever reads it at the moment, and everybody who comes later waits behind
the statement. So an ordinary migration gives up after two seconds, and is tried again (`manage.py prepare`). One that
builds an index beside the traffic, without a transaction, holds up nobody: it waits for as long as it takes, because
given up it would leave half an index.
"""

from types import TracebackType
from typing import Self

from django.db.backends.postgresql.schema import DatabaseSchemaEditor

_BRIEFLY = "SET LOCAL lock_timeout = '2s'"
_FOR_LONG = "SET lock_timeout = 0"
_AS_BEFORE = "RESET lock_timeout"


class SchemaEditor(DatabaseSchemaEditor):
    def __enter__(self) -> Self:
        super().__enter__()
        self._say(_BRIEFLY if self.atomic_migration else _FOR_LONG)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(exc_type, exc_value, traceback)
        finally:
            if not self.atomic_migration:
                self._say(_AS_BEFORE)

    def _say(self, statement: str) -> None:
        if not self.collect_sql:  # `sqlmigrate` prints what would be done
            with self.connection.cursor() as cursor:
                cursor.execute(statement)
