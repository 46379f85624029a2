"""Forms of the admin that two people may have open: the second to save is told what the first has changed.

A form sends back the whole row, also what nobody touched; so whoever saves last would undo what was saved since the
form was opened, and nobody would notice. A hidden field of the form therefore says what the row was like. It is
compared under the row's lock, and when it differs nothing is saved until the person has seen it and saves again.

A program that sends a form without that word is taken to know what it does.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.text import capfirst

from orders.admin.base import ModelAdmin, ModelForm

_OPENED = "opened"


class GuardedAdmin(ModelAdmin):
    """Put it before the other base classes."""

    change_form_before_template = "orders/admin/opened.html"
    watched: ClassVar[
        Sequence[str]
    ] = ()  # columns that the form changes without having a field of their name

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **options: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **options)
        opened = request.POST.get(_OPENED, "")
        if obj is None or not opened:
            return form
        return type(form.__name__, (_GuardedForm, form), {"opened": opened, "watched": self.watched})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, **named: Any
    ) -> HttpResponse:
        obj = named.get("obj")
        if obj is not None and self.has_change_permission(request, obj):
            if request.method == "POST":  # the form has written into the object what was typed
                obj = obj._meta.default_manager.get(pk=obj.pk)
            state = _state(obj, _names(context["adminform"].form, self.watched))
            context[_OPENED] = ",".join(f"{name}.{digest}" for name, digest in state.items())
        return super().render_change_form(request, context, *arguments, **named)


class _GuardedForm(ModelForm):
    opened: str
    watched: Sequence[str]

    def clean(self) -> dict[str, Any] | None:
        """The row stays locked until it is saved, so of two people who save at once the second sees the first."""
        cleaned = super().clean()
        rows = self.instance._meta.default_manager.select_for_update(of=("self",), no_key=True)
        now = _state(rows.get(pk=self.instance.pk), _names(self, self.watched))
        before = dict(part.partition(".")[::2] for part in self.opened.split(","))
        if changed := [name for name, digest in now.items() if digest != before.get(name)]:
            labels = ", ".join(capfirst(_label(self.instance, name)) for name in changed)
            raise ValidationError(
                f"This has changed since you opened it ({labels}), so nothing was saved. Look at it in another tab; to "
                "put what stands here in its place, save again."
            )
        return cleaned


def _names(form: Any, watched: Sequence[str]) -> list[str]:
    """The columns, and lists of other rows, that the form may change."""
    own = form.instance._meta
    editable = {field.name for field in (*own.fields, *own.many_to_many)}
    return [*(name for name in form.fields if name in editable), *watched]


def _state(row: Model, names: Sequence[str]) -> dict[str, str]:
    """A digest of each; not the values, because the hash of a password is among them."""
    return {
        name: salted_hmac("orders.admin.guarded", repr(_value(row, name))).hexdigest()[:12] for name in names
    }


def _value(row: Model, name: str) -> Any:
    value = row._meta.get_field(name).value_from_object(row)  # type: ignore[union-attr]
    return sorted(other.pk for other in value) if isinstance(value, list) else value


def _label(row: Model, name: str) -> str:
    return str(getattr(row._meta.get_field(name), "verbose_name", name)).removesuffix(" minor")
