"""What the API says of uploads and videos, as the schema tells it."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from shop.api.serializers import Answer
from shop.videos.models import Video
from shop.videos.progress import progress_of


class UploadSerializer(Answer):
    filename = serializers.CharField(help_text="As the sender calls it, without what is no part of a name.")
    size = serializers.IntegerField(help_text="Bytes in all, as announced.")
    offset = serializers.IntegerField(help_text="Bytes that have arrived and are kept.")
    expires_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When it is thrown away unless more of it arrives; null once it is complete.",
    )
    video = serializers.URLField(
        allow_null=True, help_text="Where to follow the video that it has become; null while it is coming in."
    )


class ProgressSerializer(Answer):
    percent = serializers.IntegerField(min_value=0, max_value=100)
    seconds_left = serializers.FloatField(allow_null=True, help_text="An estimate; null while there is none.")
    words = serializers.CharField(help_text="How it stands, for people.")


class VideoSerializer(Answer):
    token = serializers.UUIDField()
    sku = serializers.CharField(source="product.sku")
    filename = serializers.CharField(help_text="As its sender calls it.")
    size = serializers.IntegerField(help_text="Bytes of the uploaded file.")
    state = serializers.ChoiceField(Video.State.choices)
    progress = serializers.SerializerMethodField()
    uploaded_at = serializers.DateTimeField(source="created_at")
    published_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField(help_text="Where to look again.")

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, video: Video) -> dict[str, Any]:
        found = progress_of(video)
        return {"percent": found.percent, "seconds_left": found.estimate, "words": found.words}

    def get_url(self, video: Video) -> str:
        return settings.SHOP_URL + reverse("api_video", args=[video.token])
