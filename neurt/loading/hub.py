"""Files of a model of the hub: those in the local cache, else downloaded. No torch here."""

from __future__ import annotations

from pathlib import Path

from neurt.loading.directory import INDEX, MODEL, shards
from neurt.loading.source import ModelError, cached_file, cached_revision, why_unreachable


def download(hub_id: str, name: str) -> Path:
    """A file of a model, of the revision that is cached where one is; raises ModelError without."""
    found = _fetched(hub_id, name)
    if found is None:
        why = why_unreachable(hub_id) or "it is not there"
        raise ModelError(f"'{name}' of '{hub_id}' cannot be had: {why}")
    return found


def download_weights(hub_id: str) -> Path:
    """The directory in the cache that holds configuration and weights; raises ModelError without.

    What the index of the weights names is looked at before any of it is downloaded.
    """
    config = download(hub_id, "config.json")
    if _fetched(hub_id, MODEL) is None:
        for name in shards(download(hub_id, INDEX)):
            download(hub_id, name)
    return config.parent


def _fetched(hub_id: str, name: str) -> Path | None:
    if cached := cached_file(hub_id, name):
        return cached
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

    try:
        return Path(hf_hub_download(hub_id, name, revision=cached_revision(hub_id) or None))
    except (EntryNotFoundError, OfflineModeIsEnabled):
        return None
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"'{name}' of '{hub_id}' cannot be downloaded: {reason}") from error
