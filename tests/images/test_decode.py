from __future__ import annotations

import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from triptych.errors import UnreadableImage, UsageError
from triptych.images.decode import (
    FITS,
    _pillow_quiet,
    decode,
    prepare,
    read_image,
    resize,
)

from .making import chunk, noise, png16, png_header, saved

LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def kind_of(data: bytes) -> str:
    with pytest.raises(UnreadableImage) as raised:
        decode(data)
    assert "\n" not in str(raised.value)
    return raised.value.kind


@pytest.mark.parametrize("form", LOSSLESS)
def test_lossless_formats_give_the_pixels_back(form: str) -> None:
    pixels = noise(1)
    np.testing.assert_array_equal(decode(saved(pixels, form, **LOSSLESS[form])), pixels)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 100}]
)
def test_jpeg_is_what_pillow_decodes(options: dict[str, Any]) -> None:
    data = saved(noise(1), "JPEG", **options)
    np.testing.assert_array_equal(
        decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    )


def test_gray_and_black_and_white_become_three_equal_channels() -> None:
    gray = noise(2)[:, :, 0]
    np.testing.assert_array_equal(
        decode(saved(gray)), np.repeat(gray[:, :, None], 3, axis=2)
    )
    np.testing.assert_array_equal(decode(saved(gray, "TIFF"))[:, :, 1], gray)
    sharp = Image.fromarray(gray).convert("1")
    np.testing.assert_array_equal(
        decode(saved(sharp))[:, :, 2], np.asarray(sharp) * np.uint8(255)
    )


def test_palette_is_looked_up() -> None:
    image = Image.fromarray(noise(3)).quantize(16)
    for form in ("PNG", "BMP", "GIF", "TIFF"):
        np.testing.assert_array_equal(
            decode(saved(image, form)), np.asarray(image.convert("RGB"))
        )


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_alpha_lies_on_white(form: str) -> None:
    pixels = np.array(
        [[[10, 20, 30, 0], [10, 20, 30, 255], [0, 100, 200, 102]]], dtype=np.uint8
    )
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    expected = [[[255, 255, 255], [10, 20, 30], [153, 193, 233]]]  # 255 - 0.4 (255 - c)
    np.testing.assert_array_equal(decode(saved(pixels, form, **options)), expected)


def test_transparent_colors_lie_on_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 9, 9, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    expected = [[[255, 255, 255], [40, 50, 60]]]
    for form in ("PNG", "GIF"):
        np.testing.assert_array_equal(
            decode(saved(palette, form, transparency=0)), expected
        )
    half = saved(palette, transparency=bytes([255, 51]))
    np.testing.assert_array_equal(decode(half), [[[9, 9, 9], [212, 214, 216]]])
    gray = Image.fromarray(np.array([[7, 8]], dtype=np.uint8))
    np.testing.assert_array_equal(
        decode(saved(gray, transparency=7))[0, :, 0], [255, 8]
    )
    gray_alpha = Image.merge(
        "LA", (gray, Image.fromarray(np.array([[0, 255]], dtype=np.uint8)))
    )
    np.testing.assert_array_equal(decode(saved(gray_alpha))[0, :, 0], [255, 8])


def test_cmyk_is_not_inverted() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    for form in ("JPEG", "TIFF"):
        red = decode(saved(ink, form))[8, 8].astype(int)
        assert red[0] > 240
        assert max(red[1:]) < 15


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_keep_the_upper_byte(channels: int) -> None:
    samples = (
        np.random.default_rng(channels)
        .integers(0, 65536, (9, 7, channels))
        .astype(np.uint16)
    )
    samples[0, 0], samples[0, 1], samples[0, 2] = 0x00FF, 0x0100, 0xFFFF
    if channels in (2, 4):
        samples[:, :, -1] = 0xFFFF  # opaque
    colors = samples[:, :, : 3 if channels > 2 else 1] >> 8
    np.testing.assert_array_equal(
        decode(png16(samples)), np.broadcast_to(colors, (9, 7, 3))
    )


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bit_gray_tiff(dtype: str) -> None:
    samples = np.arange(0, 65536, 257 * 5, dtype=dtype).reshape(4, -1)
    np.testing.assert_array_equal(
        decode(saved(samples, "TIFF"))[:, :, 0], samples // 256
    )


def test_thirty_two_bits_are_refused() -> None:
    assert kind_of(saved(np.ones((3, 3), np.float32), "TIFF")) == "unreadable"
    assert kind_of(saved(np.full((3, 3), 70_000, np.int32), "TIFF")) == "unreadable"


# From the EXIF standard: where row 0 and column 0 of the stored pixels are to be seen.
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p[::-1].transpose(1, 0, 2),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize("form", sorted(LOSSLESS.keys() - {"BMP"}))
@pytest.mark.parametrize("mark", range(1, 9))
def test_orientation_is_honored(form: str, mark: int) -> None:
    pixels = noise(4, 3, 5)
    exif = Image.Exif()
    exif[0x0112] = mark
    data = saved(pixels, form, exif=exif, **LOSSLESS[form])
    np.testing.assert_array_equal(decode(data), UPRIGHT[mark](pixels))


def test_orientation_of_sixteen_bits_and_of_jpeg() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    samples = np.arange(15, dtype=np.uint16).reshape(3, 5) * 4000
    np.testing.assert_array_equal(
        decode(saved(samples, "PNG", exif=exif))[:, :, 0],
        (samples >> 8)[::-1].transpose(),
    )
    flat, turned = saved(noise(5), "JPEG"), saved(noise(5), "JPEG", exif=exif)
    np.testing.assert_array_equal(decode(turned), UPRIGHT[6](decode(flat)))


@pytest.mark.parametrize("mark", [0, 9, 60000])
def test_unknown_orientation_and_damaged_exif_ask_for_nothing(mark: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = mark
    pixels = noise(4)
    np.testing.assert_array_equal(decode(saved(pixels, exif=exif)), pixels)
    np.testing.assert_array_equal(
        decode(saved(pixels, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" * 3)), pixels
    )


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_images_the_first_counts(form: str) -> None:
    first, second = (Image.new("RGB", (20, 20), color) for color in ("red", "blue"))
    options = {"lossless": True} if form == "WEBP" else {}
    data = saved(first, form, save_all=True, append_images=[second], **options)
    np.testing.assert_array_equal(decode(data)[5, 5], [255, 0, 0])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_cut_is_noticed(form: str) -> None:
    data = saved(noise(6, 60, 60), form)
    whole = decode(data)
    for length in range(0, len(data), max(1, len(data) // 60)):
        if length < 0.97 * len(data):  # a cut behind the last pixel does no harm
            assert kind_of(data[:length]) in {
                "truncated",
                "unreadable",
                "empty",
                "not an image",
            }
    assert kind_of(data[: len(data) // 2]) == "truncated"
    assert kind_of(data[: len(data) * 9 // 10]) == "truncated"
    np.testing.assert_array_equal(decode(data + b"junk behind the end"), whole)


def test_cut_compressed_tiff() -> None:
    data = saved(noise(6, 60, 60), "TIFF", compression="tiff_lzw")
    assert kind_of(data[: len(data) // 2]) == "truncated"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_damage_never_raises_anything_else(form: str) -> None:
    data = saved(noise(7, 20, 20), form)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        bad = bytearray(data)
        # The first kilobyte holds the headers, where damage does most.
        for place in rng.integers(4, min(len(bad), 1000), 4):
            bad[place] = rng.integers(256)
        try:
            assert decode(bytes(bad)).shape[2] == 3
        except UnreadableImage:
            refused += 1
    assert refused > 0 or form in {"BMP", "TIFF"}  # most bytes of those are pixels


def test_what_is_not_an_image() -> None:
    assert kind_of(b"") == "empty"
    for data in (
        b"hello",
        b"<html></html>",
        b"PK\x03\x04",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"%!PS-Adobe",
        bytes(99),
    ):
        assert kind_of(data) == "not an image"


def test_bombs_are_known_by_their_header() -> None:
    assert kind_of(png_header(20_000, 5_001) + chunk(b"IDAT", b"")) == "too large"
    # Pillow's own error.
    assert kind_of(png_header(60_000, 60_000) + chunk(b"IDAT", b"")) == "too large"
    # Exactly 100 megapixels, and what Pillow would warn about: judged by what is in it
    # (nothing here).
    assert kind_of(png_header(20_000, 5_000) + chunk(b"IDAT", b"")) == "truncated"
    gif = bytearray(saved(noise(1), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    assert kind_of(bytes(gif)) == "too large"


def test_warning_filters_survive_threads() -> None:
    before = list(warnings.filters)
    bomb, fine = png_header(19_000, 5_000) + chunk(b"IDAT", b""), saved(noise(1))

    def mixed(i: int) -> str:
        decode(fine)
        return kind_of(bomb) if i % 50 == 0 else "truncated"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(mixed, range(200))) == {"truncated"}
    assert list(warnings.filters) == before


def test_warnings_stay_silent_until_the_last_is_out() -> None:
    with _pillow_quiet():
        with _pillow_quiet():
            pass
        warnings.warn_explicit(
            "odd metadata", UserWarning, "Image.py", 1, module="PIL.Image"
        )
    with pytest.warns(UserWarning, match="odd metadata"):
        warnings.warn_explicit(
            "odd metadata", UserWarning, "Image.py", 1, module="PIL.Image"
        )


SHAPES = [(12, 16), (16, 12), (1, 300), (300, 1), (7, 7), (64, 64), (101, 33)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (30, 20)])
def test_fits_are_what_they_say(shape: tuple[int, int], size: tuple[int, int]) -> None:
    pixels = noise(8, *shape)
    drawn, target = Image.fromarray(pixels), (size[1], size[0])
    bilinear = Image.Resampling.BILINEAR
    expected = {
        "squash": drawn.resize(target, bilinear),
        "crop": ImageOps.fit(drawn, target, bilinear),
    }
    ratio = shape[0] / shape[1], shape[1] / shape[0]
    if round(ratio[0] * size[1]) > 0 and round(ratio[1] * size[0]) > 0:
        expected["pad"] = ImageOps.pad(drawn, target, bilinear, (128, 128, 128))
    for fit, image in expected.items():
        np.testing.assert_array_equal(
            resize(pixels, size, fit), np.asarray(image), err_msg=fit
        )
    assert {resize(pixels, size, fit).shape for fit in FITS} == {(*size, 3)}


def test_bicubic_is_that_of_pillow() -> None:
    pixels = noise(4, 40, 20)
    expected = Image.fromarray(pixels).resize((10, 10), Image.Resampling.BICUBIC)
    made = resize(pixels, (10, 10), "squash", "bicubic")
    np.testing.assert_array_equal(made, np.asarray(expected))
    assert (made != resize(pixels, (10, 10), "squash")).any()


@pytest.mark.parametrize("fit", FITS)
def test_nearest_picks_single_pixels(fit: str) -> None:
    stripes: NDArray[np.uint8] = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    picked = resize(stripes, (8, 8), fit, "nearest")
    assert set(np.unique(picked)) <= {0, 255}
    every = np.arange(64, dtype=np.uint8).reshape(8, 8, 1).repeat(3, 2)
    np.testing.assert_array_equal(
        resize(every, (4, 4), fit, "nearest"), every[1::2, 1::2]
    )


def test_fits_differ_and_shrinking_is_antialiased() -> None:
    pixels = noise(9, 40, 20)
    assert len({resize(pixels, (10, 10), fit).tobytes() for fit in FITS}) == 3
    stripes: NDArray[np.uint8] = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    # Gray; picking single pixels gives 0 or 255.
    assert np.ptp(resize(stripes, (8, 8))[:, 2:6]) < 10


def test_impossible_sizes_and_fits() -> None:
    with pytest.raises(UsageError, match="did you mean 'squash'"):
        resize(noise(1), (8, 8), "sqash")
    with pytest.raises(UsageError, match="at least 1 pixel"):
        resize(noise(1), (0, 8))


def test_digest_stands_for_the_pixels() -> None:
    pixels = noise(10, 70, 20_000)  # several strips
    small = (4, 4)
    same = {prepare(saved(pixels, form), small, "squash")[1] for form in ("PNG", "BMP")}
    assert len(same) == 1
    for place in ((0, 0), (49, 19_999), (50, 0), (69, 19_999)):
        other = pixels.copy()
        other[place] ^= 1
        assert prepare(saved(other, "BMP"), small, "squash")[1] not in same
    folded = pixels.reshape(140, 10_000, 3)
    assert prepare(saved(folded, "BMP"), small, "squash")[1] not in same


def test_read_image(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(saved(noise(11)))
    np.testing.assert_array_equal(read_image(path, (12, 16)), noise(11))
    path.write_bytes(b"no image")
    os.mkfifo(tmp_path / "pipe.png")  # opened like a file it would wait for ever
    for unreadable, message in {
        "a.txt": "not an image: none of JPEG",
        "gone.png": "unreadable: No such file",
        "pipe.png": "not an image: a pipe",
        "": "unreadable: Is a directory",
    }.items():
        with pytest.raises(UnreadableImage, match=message):
            read_image(tmp_path / unreadable, (8, 8))
