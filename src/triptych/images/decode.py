"""From the bytes of an image file to uint8 RGB of one size. The only place that knows
file formats.

What an image means here, whatever it was saved as:

- the content decides what a file is, not its ending; of an animation or of many pages
  the first counts;
- transparent parts lie on white; CMYK and the rest become RGB the way Pillow does it,
  color profiles unread;
- 16-bit samples keep their upper byte, gray as well as color; 32-bit samples have no
  agreed range: refused;
- the camera's orientation mark is applied.
"""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from triptych.errors import UnreadableImage, UsageError, did_you_mean
from triptych.images.reader import read_file

FITS = ("squash", "crop", "pad")
"""How an image meets a target of another shape.

- `squash`: stretched to it: `image.resize(target, BILINEAR)`;
- `crop`: its largest centered part of the target's shape: `ImageOps.fit(image, target,
  BILINEAR)`;
- `pad`: whole, centered, on gray 128: `ImageOps.pad(image, target, BILINEAR, (128, 128,
  128))`.
"""
RESIZES = ("bilinear", "bicubic", "nearest")
"""What a pixel of the smaller image is made of.

- `bilinear`: of all pixels that it covers (antialiased);
- `bicubic`: of those and their neighbors, so that edges stay sharper: what many
  pretrained networks were shown;
- `nearest`: of the one at its middle; the others are lost: the default of Keras in
  2017.
"""
MAX_PIXELS = 100_000_000
PAD_GRAY = 128

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"RIFF": "WEBP",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each value of the EXIF orientation mark; 1 and unknown values ask for
nothing.
"""
ORIENTATION = 0x0112


def decode(data: bytes) -> NDArray[np.uint8]:
    """The image in `data`, upright. Shape (height, width, 3).

    Raises UnreadableImage with the kind `empty`, `truncated`, `not an image`, `too
    large` or `unreadable`.
    """
    return np.array(_open_upright(data))


def resize(
    image: NDArray[np.uint8],
    size: tuple[int, int],
    fit: str = "squash",
    method: str = "bilinear",
) -> NDArray[np.uint8]:
    """`image` (height, width, 3) brought to `size` = (height, width), by one of FITS
    and one of RESIZES.

    Raises UsageError for an unknown `fit` or `method`, or a size below one pixel.
    """
    check_fit(size, fit, method)
    return np.array(fit_to(Image.fromarray(image), size, fit, method))


def prepare(
    data: bytes, size: tuple[int, int], fit: str, method: str = "bilinear"
) -> tuple[NDArray[np.uint8], bytes]:
    """The image in `data` at `size`, and 16 bytes that stand for its pixels at full
    resolution.

    Shape (height, width, 3). Equal digests mean equal pixels, in whatever format they
    were saved. Raises UnreadableImage.
    """
    check_fit(size, fit, method)
    image = _open_upright(data)
    return np.array(fit_to(image, size, fit, method)), pixel_digest(image)


def read_image(
    path: Path, size: tuple[int, int], fit: str = "squash", method: str = "bilinear"
) -> NDArray[np.uint8]:
    """The image in the file at `path`, as a store would hold it. Shape (height,
    width, 3), uint8.

    Raises UnreadableImage.
    """
    return prepare(read_file(path), size, fit, method)[0]


def pixel_digest(image: Image.Image) -> bytes:
    """16 bytes of SHA-256 over the shape and the pixels of an RGB image; processors
    have it built in.
    """
    digest = hashlib.sha256(f"{image.width}x{image.height}".encode())
    rows = max(1, 1_000_000 // max(1, image.width))
    # In strips: a copy of the whole would double the memory.
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        digest.update(strip.tobytes())
    return digest.digest()[:16]


def format_of(head: bytes) -> str | None:
    """The image format that a file beginning with `head` (16 bytes are enough) claims
    to have.
    """
    if head.startswith(b"RIFF") and head[8:12] != b"WEBP":
        return None
    return next(
        (name for magic, name in _MAGIC.items() if head.startswith(magic)), None
    )


def _open_upright(data: bytes) -> Image.Image:
    """The image in `data` as an upright RGB image, or UnreadableImage."""
    if not data:
        raise UnreadableImage("empty", "no bytes")
    claimed = format_of(data[:16])
    if claimed is None:
        raise UnreadableImage("not an image", "none of JPEG, PNG, WebP, BMP, GIF, TIFF")
    with _pillow_quiet():
        try:
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            _check_size(image.width, image.height)
            return upright_rgb(image)
        except UnreadableImage:
            raise
        except Image.DecompressionBombError as error:
            raise UnreadableImage(
                "too large", f"over {MAX_PIXELS / 1e6:.0f} megapixels"
            ) from error
        except Exception as error:
            # A damaged file can make Pillow raise almost anything.
            raise _failure(data, claimed, error) from error


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableImage("too large", f"{width} x {height} pixels")


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened image, loaded, as RGB, and turned as its orientation mark says."""
    image.load()
    # Only after loading: TIFF has turned itself by then, PNG may keep the mark at its
    # end.
    turn = TURNS.get(_orientation(image))
    rgb = _to_rgb(image)
    return rgb if turn is None else rgb.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a damaged mark: viewers show the pixels as stored
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion cuts everything above 255 off.
        upper = np.asarray(image) >> 8
        return Image.fromarray(upper.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise UnreadableImage(
            "unreadable",
            "32-bit samples have no agreed range; save it with 8 or 16 bits",
        )
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(seen, mask=seen)
    return paper


def _failure(data: bytes, claimed: str, error: Exception) -> UnreadableImage:
    """What to say about a file that begins like an image and is none."""
    if _is_cut(data, claimed) or "truncated" in str(error).casefold():
        return UnreadableImage(
            "truncated", f"a {claimed} file that ends early, after {len(data):,} bytes"
        )
    if isinstance(error, UnidentifiedImageError):
        return UnreadableImage(
            "unreadable", f"begins like {claimed}, but its header is damaged"
        )
    return UnreadableImage(
        "unreadable", f"damaged {claimed} file ({str(error) or type(error).__name__})"
    )


def _is_cut(data: bytes, claimed: str) -> bool:
    """Whether a file of format `claimed` lacks its end, from what the format says of
    its own length.
    """
    match claimed:
        case "JPEG":
            return b"\xff\xd9" not in data[-1024:]
        case "PNG":
            return b"IEND" not in data[-1024:]
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        case "BMP":
            return int.from_bytes(data[2:6], "little") > len(data)
        case _:
            order = "little" if data.startswith(b"II") else "big"
            start = data[4:8] if data[2:4] in (b"*\0", b"\0*") else data[8:16]
            return int.from_bytes(start, order) >= len(data)  # type: ignore[arg-type]


def way(fit: str, method: str) -> str:
    """How an image comes to its size, in the key of a store."""
    return fit if method == "bilinear" else f"{fit} {method}"


def check_fit(size: tuple[int, int], fit: str, method: str = "bilinear") -> None:
    """Raises UsageError for an unknown `fit` or `method`, or a size below one pixel."""
    for what, name, known in (("fit", fit, FITS), ("resize", method, RESIZES)):
        if name not in known:
            raise UsageError(f"unknown {what} {name!r}: {did_you_mean(name, known)}")
    if min(size) < 1:
        raise UsageError(
            f"image size {size[0]} x {size[1]}: give at least 1 pixel in each direction"
        )


def fit_to(
    image: Image.Image, size: tuple[int, int], fit: str, method: str = "bilinear"
) -> Image.Image:
    """An image at `size` = (height, width), stretched, cropped or padded to it by a
    resampling of Pillow.
    """
    height, width = size
    how = Image.Resampling[method.upper()]
    if fit == "squash":
        return image.resize((width, height), how)
    if fit == "crop":
        wide = min(image.width, image.height * width / height)
        high = min(image.height, image.width * height / width)
        left, top = (image.width - wide) / 2, (image.height - high) / 2
        return image.resize(
            (width, height), how, box=(left, top, left + wide, top + high)
        )
    inner = min(width, max(1, round(image.width / image.height * height)))
    outer = min(height, max(1, round(image.height / image.width * width)))
    paper = Image.new("RGB", (width, height), (PAD_GRAY,) * 3)
    paper.paste(
        image.resize((inner, outer), how),
        (round((width - inner) / 2), round((height - outer) / 2)),
    )
    return paper


_quiet_lock = threading.Lock()
_quiet_depth = 0
_filters = warnings.catch_warnings()


@contextmanager
def _pillow_quiet() -> Iterator[None]:
    """Silence Pillow's warnings (bombs, odd metadata): the file is judged here, not on
    standard error.

    `warnings.catch_warnings` alone is not safe in threads: the filters belong to the
    process. So the first thread in saves them and the last one out puts them back.
    """
    global _quiet_depth, _filters
    with _quiet_lock:
        _quiet_depth += 1
        if _quiet_depth == 1:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _filters.__exit__(None, None, None)
