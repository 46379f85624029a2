"""Staff, their groups and their programs' API tokens in the admin, in Unfold's look.

Who looks after staff gives, takes and touches only rights that are their own: otherwise the right to change one user
would be the right to do everything. Superusers have all rights, so the rule does not hold them back.
"""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from rest_framework.authtoken.admin import TokenAdmin as RestTokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from orders.admin.base import ModelAdmin
from orders.admin.guarded import GuardedAdmin
from shop.api import tokens

if TYPE_CHECKING:
    AccountAdmin = DjangoUserAdmin[User]
else:
    AccountAdmin = DjangoUserAdmin

for model in (User, Group, TokenProxy):
    admin.site.unregister(model)


def _rights(of: User | Group) -> QuerySet[Permission]:
    """As they are in the rows: those of somebody who is inactive count too, for whoever makes them active again."""
    if isinstance(of, Group):
        return of.permissions.all()
    return Permission.objects.filter(Q(user=of) | Q(group__user=of))


def _beyond(request: HttpRequest) -> QuerySet[Permission]:
    """The rights that whoever asks does not have."""
    user = cast(User, request.user)  # the admin lets nobody else in
    if user.is_superuser:
        return Permission.objects.none()
    return Permission.objects.exclude(pk__in=_rights(user).values("pk"))


class OwnRightsOnly(ModelAdmin):
    """Rows that stand for rights. Those that hold more than one's own can be looked at and nothing else."""

    def held_by(self, row: Any) -> User | Group:
        """Whose rights the row stands for."""
        found: User | Group = row
        return found

    def _covers(self, request: HttpRequest, row: Model | None) -> bool:
        if row is None or request.user.is_superuser:
            return True
        holder = self.held_by(row)
        if isinstance(holder, User) and holder.is_superuser:
            return False
        return not _rights(holder).filter(pk__in=_beyond(request)).exists()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._covers(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._covers(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        beyond = _beyond(request)
        if db_field.related_model is Permission:
            kwargs["queryset"] = Permission.objects.exclude(pk__in=beyond)
        elif db_field.related_model is Group:
            kwargs["queryset"] = Group.objects.exclude(permissions__in=beyond)
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(User)
class UserAdmin(OwnRightsOnly, GuardedAdmin, AccountAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser")


@admin.register(Group)
class GroupAdmin(OwnRightsOnly, GuardedAdmin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # of which rows
    pass


@admin.register(TokenProxy)
class TokenAdmin(OwnRightsOnly, RestTokenAdmin, ModelAdmin):
    """A token is shown once, to whoever draws it; of the row nothing leads back to it (shop.api.tokens)."""

    list_display = ("user", "created")

    def held_by(self, row: TokenProxy) -> User:
        owner: User = row.user
        return owner

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup.partition("__")[0] != "key" and super().lookup_allowed(lookup, value, request)

    def has_change_permission(self, _request: HttpRequest, _obj: TokenProxy | None = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if not request.user.is_superuser:
            beyond = _beyond(request)
            more = Q(is_superuser=True) | Q(user_permissions__in=beyond) | Q(groups__permissions__in=beyond)
            kwargs["queryset"] = User.objects.exclude(pk__in=User.objects.filter(more).values("pk"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: TokenProxy, _form: Any, _change: bool) -> None:
        token = tokens.draw(obj.user)
        obj.key = tokens.digest(token)
        messages.warning(
            request, f"The token of {obj.user} is {token} – keep it now, for it cannot be shown again."
        )
