"""Somebody signed in to the admin, and somebody who may only look."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _pages(settings: Settings) -> None:
    """Static files by their plain names, as nothing was collected."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def operator(admin_client: Client) -> Client:
    """Signed in as a superuser."""
    return admin_client


@pytest.fixture
def onlooker(db: None) -> Client:
    """Signed in as staff with no more than the right to see orders and dead letters."""
    user = User.objects.create_user("onlooker", password="onlooker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "view_deadletter"]))
    client = Client()
    client.force_login(user)
    return client
