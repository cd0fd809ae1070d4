"""Reads a page as a reader or a browser does: texts, tables, attributes."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "input", "link", "wbr"}


class Element:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    def text(self, hidden: bool = False) -> str:
        """All that is written in it; what screen readers do not see only if asked."""
        if self.tag == "style" or (
            self.attributes.get("aria-hidden") == "true" and not hidden
        ):
            return ""
        return "".join(
            c if isinstance(c, str) else c.text(hidden) for c in self.children
        )

    def words(self) -> str:
        """Its text with every run of spaces as one."""
        return " ".join(self.text().split())

    def all(self, tag: str = "", css_class: str = "") -> list[Element]:
        found = []
        for child in self.children:
            if isinstance(child, Element):
                classes = child.attributes.get("class", "").split()
                if (not tag or child.tag == tag) and (
                    not css_class or css_class in classes
                ):
                    found.append(child)
                found += child.all(tag, css_class)
        return found

    def one(self, tag: str = "", css_class: str = "", name: str = "") -> Element:
        found = [
            e
            for e in self.all(tag, css_class)
            if not name or e.attributes.get("id") == name
        ]
        what = f"<{tag} class={css_class!r} id={name!r}>"
        assert len(found) == 1, f"{len(found)} elements {what}"
        return found[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.path = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.path[-1].children.append(element)
        if tag not in VOID:
            self.path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path[-1].children.append(
            Element(tag, {key: value or "" for key, value in attrs})
        )

    def handle_endtag(self, tag: str) -> None:
        assert self.path[-1].tag == tag, f"</{tag}> closes <{self.path[-1].tag}>"
        self.path.pop()

    def handle_data(self, data: str) -> None:
        self.path[-1].children.append(data)


def read_page(text: str) -> Element:
    """The page as a tree; fails if its tags are not nested."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.path) == 1, f"<{reader.path[-1].tag}> is not closed"
    return reader.path[0]
