from __future__ import annotations

import os
import socket
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from triptych.errors import ImagesError
from triptych.images.folder import Listing, Problem, scan
from triptych.images.reader import PROBLEM_KINDS, Names
from triptych.images.source import open_images
from triptych.images.split import TEST, TRAIN, UNDECIDED, VALIDATION

from .making import fill, images, noise, saved


def seen(listing: Listing) -> list[tuple[str, str, int]]:
    rows = zip(listing.names, listing.labels, listing.parts, strict=True)
    return [(name, listing.classes[label], int(part)) for name, label, part in rows]


def listed(root: Path, *files: str) -> list[tuple[str, str, int]]:
    """What is seen in a folder of these files (listed by name and how they begin)."""
    return seen(scan(fill(root, dict.fromkeys(files, b"GIF8"))))


def test_plain_classes(tmp_path: Path) -> None:
    assert listed(tmp_path, "b/2.png", "b/1.png", "a/1.png", "a/deep/er/0.png") == [
        ("a/1.png", "a", UNDECIDED),
        ("a/deep/er/0.png", "a", UNDECIDED),
        ("b/1.png", "b", UNDECIDED),
        ("b/2.png", "b", UNDECIDED),
    ]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Valid"])
def test_parts(tmp_path: Path, name: str) -> None:
    files = [
        "test/a/1",
        "train/a/1",
        "train/a/deep/2",
        "train/b/1",
        "train/b/2",
        f"{name}/b/1",
    ]
    assert sorted(listed(tmp_path, *files)) == sorted(
        [
            ("test/a/1", "a", TEST),
            ("train/a/1", "a", TRAIN),
            ("train/a/deep/2", "a", TRAIN),
            ("train/b/1", "b", TRAIN),
            ("train/b/2", "b", TRAIN),
            (f"{name}/b/1", "b", VALIDATION),
        ]
    )


def test_wrapping_folders_say_nothing(tmp_path: Path) -> None:
    files = [
        "photos/my set/train/a/1",
        "photos/my set/train/a/2",
        "photos/my set/train/b/1",
    ]
    found = listed(
        tmp_path,
        *files,
        "photos/my set/train/b/2",
        "photos/README",
        "photos/my set/LICENCE",
    )
    assert [(path, name) for path, name, _ in found] == [
        ("train/a/1", "a"), ("train/a/2", "a"), ("train/b/1", "b"), ("train/b/2", "b"),
    ]  # fmt: skip


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    found = listed(tmp_path, "bus/1", "bus/2", "train/1", "train/2")
    assert [(name, part) for _, name, part in found] == [
        ("bus", 0),
        ("bus", 0),
        ("train", 0),
        ("train", 0),
    ]


def test_names_with_spaces_and_letters_of_the_world(tmp_path: Path) -> None:
    spelled = [unicodedata.normalize(form, "café crème") for form in ("NFC", "NFD")]
    assert spelled[0] != spelled[1]
    files = [
        f"train/{spelled[0]}/1",
        f"test/{spelled[1]}/2",
        "train/滑雪/1",
        "train/滑雪/2",
    ]
    assert {name for _, name, _ in listed(tmp_path, *files)} == {spelled[0], "滑雪"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    fill(tmp_path, images("a", "b"))
    raw = os.fsencode(tmp_path) + b"/a/\xff\n.png"
    try:
        with open(raw, "wb") as file:
            file.write(saved(noise(99)))
    except OSError:
        pytest.skip("this system has only names that are text")
    store = open_images(tmp_path, size=(4, 4))
    assert store.name(3) == r"a/\xff\n.png"
    assert len(store) == 7


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, images("a", "b"))
    hidden = [
        "a/.DS_Store",
        "a/Thumbs.db",
        "a/._0.png",
        "__MACOSX/a/0.png",
        ".git/x/y",
        "b/desktop.ini",
        ".x.png",
    ]
    listing = scan(fill(tmp_path, dict.fromkeys(hidden, saved(noise(1)))))
    assert (len(listing.names), listing.classes, listing.problems) == (
        6,
        ("a", "b"),
        (),
    )


def test_misplaced_images_are_listed_and_other_files_are_welcome(
    tmp_path: Path,
) -> None:
    fill(tmp_path, images("train/a", "train/b"))
    fill(
        tmp_path,
        {
            "README.md": b"text",
            "loose.dat": saved(noise(1)),
            "train/direct.png": saved(noise(2)),
        },
    )
    fill(tmp_path, {"extra/a/1.png": saved(noise(3)), "train/classes.csv": b"a,b"})
    assert [(p.kind, p.path) for p in scan(tmp_path).problems] == [
        ("misplaced", "extra/a/1.png"),
        ("misplaced", "loose.dat"),
        ("misplaced", "train/direct.png"),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no class folder"),
        (["1.png", "2.png"], "no class folder"),
        (["a/1", "a/2"], "one class, 'a'"),
        (["train/a/1", "train/a/2", "test/a/1"], "one class, 'a'"),
        (["test/a/1", "test/b/1"], "no train/<class>/"),
        (["train/1", "train/2", "test/1"], "no train/<class>/"),
        (["a/1", "a/2", "b/1", "b/2", "test/1"], "'test' beside class folders"),
        (["a/1", "a/2", "b/1"], "class 'b' has one usable image"),
        (
            [
                "train/a/1",
                "train/a/2",
                "train/b/1",
                "train/b/2",
                "test/c/1",
                "test/c/2",
            ],
            "'c' has no usable image in train",
        ),
    ],
)
def test_nothing_to_learn_from(tmp_path: Path, files: list[str], message: str) -> None:
    with pytest.raises(ImagesError, match=message) as raised:
        listed(tmp_path, *files)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_class_folder_without_an_image_file_is_noted_and_no_class(
    tmp_path: Path,
) -> None:
    root = fill(tmp_path / "set", images("a", "b"))
    fill(
        root,
        {
            "models/best/weights.bin": bytes(range(200)),
            "models/log.txt": b"epoch 1",
            "text/x": b"",
        },
    )
    (root / "c").mkdir()
    listing = scan(root)
    assert listing.classes == ("a", "b")
    assert len(listing.names) == 6
    assert listing.problems == (
        Problem("no images", "c", "an empty folder"),
        Problem("no images", "models", "no image among 2 file(s)"),
        Problem("no images", "text", "no image among 1 file(s)"),
    )
    store = open_images(root, size=(12, 16))
    assert (store.classes, store.problems, len(store)) == (
        ("a", "b"),
        listing.problems,
        6,
    )
    np.testing.assert_array_equal(store.labels, [0, 0, 0, 1, 1, 1])
    with pytest.raises(
        ImagesError, match=r"3 problem\(s\) in strict mode, first c: no images"
    ):
        open_images(root, size=(12, 16), strict=True)


def test_a_class_folder_of_a_part_without_an_image_file(tmp_path: Path) -> None:
    fill(
        tmp_path,
        images("train/a", "train/b", "test/a")
        | {"test/notes/1.txt": b"x", "train/models/1": b"x"},
    )
    (tmp_path / "test" / "b").mkdir()  # b has images in train, and stays
    listing = scan(tmp_path)
    assert listing.classes == ("a", "b")
    assert [problem.path for problem in listing.problems] == ["models", "notes"]


def test_files_that_are_meant_to_be_images_make_a_class(tmp_path: Path) -> None:
    """By their names: a class whose files are all broken is missed, not passed over."""
    fill(
        tmp_path,
        images("a", "b")
        | {"b/bad.png": b"", "c/1.JPG": b"<html>", "c/2.jpg": b"<html>"},
    )
    message = (
        r"class 'c' has no usable image "
        r"\(2 left out, first c/1\.JPG: not an image\)"
    )
    with pytest.raises(ImagesError, match=message):
        open_images(tmp_path, size=(4, 4))


def test_one_class_and_a_folder_that_is_none(tmp_path: Path) -> None:
    fill(tmp_path, images("a") | {"models/weights.bin": b"x"})
    with pytest.raises(
        ImagesError, match=r"one class, 'a' \(1 left out, first models: no images\)"
    ):
        scan(tmp_path)


def test_links_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    root = fill(tmp_path / "set", images("a", "b"))
    elsewhere = fill(
        tmp_path / "elsewhere", {"x.png": saved(noise(50)), "one.png": saved(noise(51))}
    )
    (root / "a" / "up").symlink_to(root)
    (root / "b" / "self").symlink_to("self")
    (root / "b" / "gone.png").symlink_to("nothing.png")
    (root / "b" / "more").symlink_to(elsewhere)
    (root / "b" / "same again").symlink_to(elsewhere)
    (root / "a" / "one.png").symlink_to(elsewhere / "one.png")
    listing = scan(root)
    assert {"a/one.png", "b/more/one.png", "b/more/x.png"} < set(listing.names)
    assert len(listing.names) == 9
    assert sorted((p.kind, p.path) for p in listing.problems) == [
        ("link", "a/up"),
        ("link", "b/same again"),
        ("unreadable", "b/gone.png"),
        ("unreadable", "b/self"),
    ]


def test_classes_that_link_to_each_other_end(tmp_path: Path) -> None:
    # 12! paths when every link is followed every time.
    names = [f"c{i}" for i in range(12)]
    fill(tmp_path, images(*names, many=2))
    for one in names:
        for other in names:
            if one != other:
                (tmp_path / one / f"to {other}").symlink_to(tmp_path / other)
    assert len(scan(tmp_path).names) <= 2 * 2 * len(names)


def test_pipes_and_sockets_do_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, images("a", "b"))
    os.mkfifo(tmp_path / "a" / "pipe.png")
    monkeypatch.chdir(tmp_path / "b")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        problems = scan(tmp_path).problems
    assert [(p.kind, p.path) for p in problems] == [
        ("not an image", "a/pipe.png"), ("not an image", "b/socket.png"),
    ]  # fmt: skip


def test_what_may_not_be_read_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        fill(root / "set", images("a", "b", many=4))
        (root / "cache").mkdir()
        for path, mode in (
            ("", 0o777),
            ("cache", 0o777),
            ("set/a/1.png", 0),
            ("set/b", 0o755),
        ):
            (root / path).chmod(mode)
        (root / "set/b/closed").mkdir(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            store = open_images(root / "set", size=(4, 4), cache=root / "cache")
            (root / "set").chmod(0o755) if not is_root else None
        finally:
            if is_root:
                os.seteuid(0)
        assert store.problems == (
            Problem("unreadable", "b/closed/", "Permission denied"),
            Problem("unreadable", "a/1.png", "Permission denied"),
        )
        assert len(store) == 7


def test_every_problem_kind_is_found_and_the_rest_is_used(tmp_path: Path) -> None:
    files = images("train/a", "train/b", "test/a", "test/b", many=4)
    files |= {
        "train/a/empty.png": b"",
        "train/a/cut.jpg": saved(noise(60, 50, 50), "JPEG")[:900],
        "train/a/damaged.png": b"\x89PNG\r\n\x1a\n" + bytes(50) + b"IEND",
        "train/a/README.txt": b"hello",
        "train/b/again.bmp": saved(noise(1001), "BMP"),
        "train/b/from test.png": files["test/b/0.png"],
        "train/b/as a.png": files["train/a/3.png"],
        "stray.png": saved(noise(61)),
        "train/models/weights.bin": b"no image at all",
        "train/b/image.txt": saved(noise(62), "WEBP", lossless=True),
    }
    root = fill(tmp_path / "set", files)
    with open(root / "train/a/video.jpg", "wb") as video:
        video.truncate(500_000_001)  # takes no room on disk
    (root / "train/a/loop").symlink_to(root)
    store = open_images(root, size=(12, 16))
    assert {(p.kind, p.path) for p in store.problems} == {
        ("unreadable", "train/a/damaged.png"),
        ("empty", "train/a/empty.png"),
        ("truncated", "train/a/cut.jpg"),
        ("not an image", "train/a/README.txt"),
        ("too large", "train/a/video.jpg"),
        ("misplaced", "stray.png"),
        ("no images", "models"),
        ("link", "train/a/loop"),
        ("duplicate", "train/b/again.bmp"),
        ("duplicate across splits", "train/b/from test.png"),
        ("duplicate across classes", "train/b/as a.png"),
        ("duplicate across classes", "train/a/3.png"),
    }
    assert {p.kind for p in store.problems} == set(PROBLEM_KINDS)
    # 16 images, one more under a wrong ending, one lost for its two labels.
    assert len(store) == 16
    row = next(i for i in range(16) if store.name(i) == "train/b/image.txt")
    np.testing.assert_array_equal(store.images[row], noise(62))
    with pytest.raises(
        ImagesError, match=r"12 problem\(s\) in strict mode, first train/a/loop: link"
    ):
        open_images(root, size=(12, 16), strict=True)


def test_names_behave_like_a_sequence() -> None:
    words = ["", "a", "日本", "\udcff", "", "end"]
    names = Names.of(words)
    assert list(names) == words
    assert [names[i] for i in range(len(names))] == words
    assert list(Names.of([])) == []
    with pytest.raises(IndexError):
        names[len(words)]
