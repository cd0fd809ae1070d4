"""The stage: solids placed in space, seen by a camera, painted from far to near.

Space is measured in meters. A figure faces +x, +y is up, +z is the figure's right. A
camera with yaw 0 stands on the right side of the figure, at +90 degrees it looks the
figure in the face. Because bodies and gear are built in space, one pose gives every
view, and what is nearer hides what is farther.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .brush import DISC, FORMS, Color, Light, Pixel, mix

Vec = NDArray[np.float64]


def vec(x: float, y: float, z: float) -> Vec:
    """A point or direction in space."""
    return np.array((x, y, z))


def unit(direction: Vec) -> Vec:
    """The same direction with length 1."""
    return direction / math.sqrt(float(direction @ direction) + 1e-12)


@dataclass(frozen=True)
class View:
    """A camera: angles in radians, `distance` in meters, and where the image shows
    what it aims at.
    """

    yaw: float
    pitch: float
    roll: float
    distance: float
    aim: Vec
    scale: float
    center: Pixel
    stretch: float = 1.0

    def axes(self) -> NDArray[np.float64]:
        """Rows: screen right, screen up, away from the camera."""
        sy, cy, sp, cp = (
            math.sin(self.yaw),
            math.cos(self.yaw),
            math.sin(self.pitch),
            math.cos(self.pitch),
        )
        return np.array(
            ((cy, 0, -sy), (-sy * sp, cp, -cy * sp), (-sy * cp, -sp, -cy * cp))
        )

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixel x, pixel y, pixels per meter and depth of each point."""
        seen = (points - self.aim) @ self.axes().T
        # Nothing comes nearer than a quarter of the distance: it would fill the frame.
        zoom = (
            self.scale
            * self.distance
            / np.maximum(self.distance + seen[:, 2], self.distance / 4)
        )
        x, y = seen[:, 0] * zoom * self.stretch, -seen[:, 1] * zoom
        c, s = math.cos(self.roll), math.sin(self.roll)
        return np.stack(
            (
                self.center[0] + c * x - s * y,
                self.center[1] + s * x + c * y,
                zoom,
                seen[:, 2],
            ),
            axis=1,
        )

    def horizon(self) -> float:
        """The pixel row on which level ground ends."""
        return self.center[1] - self.scale * self.distance * math.tan(self.pitch)


@dataclass(slots=True)
class Shape:
    """One thing to paint: a solid over discs, a line of some width, a flat polygon."""

    form: str
    points: NDArray[np.float64]
    radii: Sequence[float]
    color: Color
    nearer: float
    scenery: bool
    opacity: float = 1.0


@dataclass
class Stage:
    """What is on show. `subject` gathers the points that the camera must frame."""

    shapes: list[Shape] = field(default_factory=list)
    subject: list[Vec] = field(default_factory=list)
    _turn: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    _move: Vec = field(default_factory=lambda: np.zeros(3))

    @contextmanager
    def placed(
        self,
        x: float = 0,
        y: float = 0,
        z: float = 0,
        *,
        heading: float = 0,
        lean: float = 0,
        rear: float = 0,
        scale: float = 1,
    ) -> Iterator[None]:
        """Everything added inside is turned (about the up, forward and side axis),
        scaled and moved.
        """
        before = self._turn, self._move
        ch, sh, cl, sl, cr, sr = (
            f(a) for a in (heading, lean, rear) for f in (math.cos, math.sin)
        )
        about_up = np.array(((ch, 0, sh), (0, 1, 0), (-sh, 0, ch)))
        about_forward = np.array(((1, 0, 0), (0, cl, -sl), (0, sl, cl)))
        about_side = np.array(((cr, -sr, 0), (sr, cr, 0), (0, 0, 1)))
        self._move = self._move + self._turn @ vec(x, y, z)
        self._turn = self._turn @ about_up @ about_forward @ about_side * scale
        yield
        self._turn, self._move = before

    def _add(
        self,
        form: str,
        points: Sequence[Vec] | NDArray[np.float64],
        radii: Sequence[float],
        color: Color,
        nearer: float,
        scenery: bool,
        opacity: float = 1.0,
    ) -> None:
        placed = np.asarray(points) @ self._turn.T + self._move
        self.shapes.append(Shape(form, placed, radii, color, nearer, scenery, opacity))

    def solid(
        self, discs: Sequence[tuple[Vec, float]], color: Color, nearer: float = 0
    ) -> None:
        """The hull of balls (center, radius), shaded. `nearer` lifts it over what it
        lies on.
        """
        self._add(
            "solid",
            [center for center, _ in discs],
            [r for _, r in discs],
            color,
            nearer,
            False,
        )

    def line(
        self,
        points: Sequence[Vec] | NDArray[np.float64],
        width: float,
        color: Color,
        nearer: float = 0,
        scenery: bool = False,
    ) -> None:
        """A line through the points, `width` meters wide."""
        self._add("line", points, (width,), color, nearer, scenery)

    def flat(
        self,
        points: Sequence[Vec] | NDArray[np.float64],
        color: Color,
        nearer: float = 0,
        scenery: bool = False,
    ) -> None:
        """A flat polygon."""
        self._add("flat", points, (), color, nearer, scenery)

    def ring(
        self,
        center: Vec,
        radius: float,
        width: float,
        color: Color,
        nearer: float = 0,
    ) -> None:
        """An upright circle in the plane of x and y: a wheel."""
        self.line(center + radius * _CIRCLE, width, color, nearer)

    def trace(
        self,
        points: Sequence[Vec],
        width: float,
        beside: Vec,
        dark: float,
        bright: float,
    ) -> None:
        """A line pressed or cut into the ground: so `dark` in the groove, so `bright`
        on the rim `beside`.
        """
        self._add("line", points, (width,), (20, 26, 40), 0, True, dark)
        self._add(
            "line",
            [point + beside for point in points],
            (width,),
            (255, 255, 255),
            0.01,
            True,
            bright,
        )

    def shadow(self, x: float, z: float, length: float, width: float) -> None:
        """A soft patch of shade on the ground, two rings deep."""
        for share in (1.0, 0.6):
            rim = [(share * length * c, share * width * s) for c, s in DISC]
            self._add(
                "flat",
                [vec(x + a, 0, z + b) for a, b in rim],
                (),
                (14, 18, 34),
                0,
                True,
                0.25,
            )

    def reflect(self, first: int, opacity: float) -> None:
        """Mirror the shapes from number `first` on in the ground: ice and still water
        do.
        """
        for shape in self.shapes[first:]:
            if not shape.scenery:
                below = shape.points * (1, -1, 1)
                self.shapes.append(
                    Shape(
                        shape.form,
                        below,
                        shape.radii,
                        shape.color,
                        shape.nearer,
                        True,
                        opacity,
                    )
                )

    def frames(self, *points: Vec) -> None:
        """The camera must show these points."""
        self.subject.extend(self._turn @ point + self._move for point in points)

    def paint(
        self, image: Image.Image, view: View, light: Light, scenery: bool
    ) -> None:
        """Paint the scenery's shapes or the others, the farthest first."""
        shapes = [shape for shape in self.shapes if shape.scenery == scenery]
        if not shapes:
            return
        seen = view.project(np.concatenate([shape.points for shape in shapes]))
        ends = np.cumsum([len(shape.points) for shape in shapes])
        starts = ends - [len(shape.points) for shape in shapes]
        nearer = [shape.nearer for shape in shapes]
        depths = np.add.reduceat(seen[:, 3], starts) / (ends - starts) - nearer
        # What lies outside, such as most of an eight, needs no outline. No ball is
        # wider than 0.3 m.
        margin = 0.3 * np.maximum.reduceat(seen[:, 2], starts)
        outside = np.zeros(len(shapes), bool)
        for axis, end in enumerate(image.size):
            outside |= np.minimum.reduceat(seen[:, axis], starts) > end + margin
            outside |= np.maximum.reduceat(seen[:, axis], starts) < -margin
        brush, rows = ImageDraw.Draw(image, "RGBA" if scenery else "RGB"), seen.tolist()
        for index in np.argsort(-depths, kind="stable"):
            if outside[index]:
                continue
            shape = shapes[index]
            fade = min(0.75, max(0.0, depths[index]) * light.thickness)
            color = mix(shape.color, light.haze, fade)
            fill = color if shape.opacity == 1 else (*color, round(255 * shape.opacity))
            FORMS[shape.form](
                brush, rows[starts[index] : ends[index]], shape.radii, fill, light
            )


_CIRCLE = np.array(
    [(math.cos(a), math.sin(a), 0) for a in np.linspace(0, 2 * math.pi, 29)]
)
