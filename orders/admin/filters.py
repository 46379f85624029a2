"""What the list of orders can be narrowed to, beside the columns themselves."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.standing import NAMES, Standing, that_stand
from orders.models import Order


class StandingFilter(SimpleListFilter):
    title = "where it stands"
    parameter_name = "stands"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(standing.value, name) for standing, name in NAMES.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        value = self.value()
        return queryset.filter(that_stand(Standing(value))) if value in NAMES else queryset


class DeadLetterFilter(SimpleListFilter):
    """`dead_letters` is the other end of workers.DeadLetter.order: known by its name here, never imported."""

    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Has an open one")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() != "open":
            return queryset
        letters = Order.objects.filter(dead_letters__isnull=False, dead_letters__resolved_at=None)
        return queryset.filter(pk__in=letters.values("pk"))
