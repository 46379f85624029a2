from django.apps import AppConfig


class VideosConfig(AppConfig):
    name = "shop.videos"
    label = "videos"
