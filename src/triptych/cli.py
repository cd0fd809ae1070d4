"""The command line: parse, call, print. Nothing is decided here, and nothing heavy is imported at the top."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from triptych import __version__
from triptych.errors import USUAL, TriptychError, WorkerFailed, did_you_mean, nearest, visible
from triptych.interruption import Interrupted, raise_on_signals

if TYPE_CHECKING:
    from triptych.commands.compare import Comparison

F = TypeVar("F", bound=Callable[..., Any])

COMPLETION = "_TRIPTYCH_COMPLETE"
"""The variable by which a shell asks for completions."""


NEEDLESS = {
    "--workers": "pictures are decoded once, by all cores, and batches are prepared in the background",
    "--device": "each framework takes the GPU that it finds",
}
"""Options of other programs that have nothing to decide here, and why."""
NEEDLESS |= {"--num-workers": NEEDLESS["--workers"], "--gpu": NEEDLESS["--device"]}


class Command(click.Command):
    """A command that understands what other programs call its options, and suggests what it does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = [name for one in self.get_params(ctx) for name in one.opts if name.startswith("--")]
        try:
            end = args.index("--") if "--" in args else len(args)
            ours = [_in_our_words(word, known) for word in args[:end]]
            return super().parse_args(ctx, ours + args[end:])
        except click.NoSuchOption as error:
            name = error.option_name
            meant = nearest(name, known)
            hint = (
                NEEDLESS.get(name) or (meant and f"did you mean {meant}?") or f"see {ctx.command_path} --help"
            )
            raise click.UsageError(f"No such option {name!r}: {hint}", ctx) from None


def _in_our_words(word: str, known: list[str]) -> str:
    """An argument, with the name of its option as it is called here: --lr 0.1, --batch_size=8."""
    name, equals, value = word.partition("=")
    plain = name.replace("_", "-")
    for meant in (plain, f"--{USUAL.get(plain.removeprefix('--'))}"):
        if name.startswith("--") and name not in known and meant in known:
            return meant + equals + value
    return word


class Suggesting(click.Group):
    """A group whose message for an unknown command names the nearest one."""

    command_class = Command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise click.UsageError(
                f"No such command {name!r}: {did_you_mean(name, self.list_commands(ctx))}", ctx
            )
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of a day's work, not of the alphabet


@click.group(
    cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="triptych")
def cli() -> None:
    """One network, several frameworks, side by side.

    Train the same image classifier in Keras, TensorFlow, PyTorch and JAX on a folder of pictures, see that
    they agree, and what each costs. Begin with: triptych compare sports
    """


def options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, shown in the order given."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _names(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    return [name.strip() for name in value.split(",") if name.strip()] if value is not None else None


JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, nothing else.")
FRAMEWORK = click.option(
    "--framework", metavar="NAME", help="As in: keras, tensorflow, pytorch, jax, keras:jax."
)
PATIENCE = click.option("--patience", type=click.FloatRange(0, min_open=True), default=600.0,
                        show_default=True, metavar="SECONDS",
                        help="End a framework that is silent for so long.")  # fmt: skip


def _defaulting(name: str, default: str, words: str, **more: Any) -> Callable[[F], F]:
    """An option whose default is decided elsewhere, with the pictures: the recipe's DEFAULTS."""
    return click.option(name, help=f"{words}  [default: {default}]", **more)


RECIPE_OPTIONS = options(
    _defaulting("--network", "sports-cnn; digits: lenet", "A network of the zoo, or a .toml file.",
                metavar="NAME|FILE"),
    _defaulting("--epochs", "15; sports: 7, digits: 5", "How often every picture is seen.",
                type=int, metavar="N"),
    _defaulting("--size", "64; sports: 48, digits: 32; a network file's own",
                "Height and width the pictures are resized to.", type=int, metavar="PX"),
    _defaulting("--batch", "32; sports: 30", "Pictures a step.", type=int, metavar="N"),
    _defaulting("--seed", "0", "Decides all that is random.", type=int, metavar="N"),
    _defaulting("--precision", "float32", "float32, float64 or bfloat16.", metavar="NAME"),
    _defaulting("--optimizer", "adamw", "adamw, adam, sgd or rmsprop.", metavar="NAME"),
    _defaulting("--learning-rate", "adamw and adam: 0.003, sgd: 0.05, rmsprop: 0.001; sports: 0.001",
                "The top of the schedule.", type=float, metavar="X"),
    _defaulting("--schedule", "one-cycle", "one-cycle, cosine, constant or inverse-time.", metavar="NAME"),
    _defaulting("--fit", "squash", "squash, crop or pad pictures that are not square.", metavar="NAME"),
    _defaulting("--resize", "bilinear", "bilinear or nearest.", metavar="NAME"),
    click.option("--recipe", type=click.Path(path_type=Path), metavar="NAME|FILE",
                 help="All this as a file, or 2017-keras, 2017-tensorflow, 2017-pytorch."),
    click.option("--full", is_flag=True, default=None, help="sports with 7,096 and 1,775 pictures."),
    click.option("--strict", is_flag=True, default=None, help="End if any picture has a problem."),
    click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
                 help="The run folder; a new one below runs/ otherwise."),
    PATIENCE,
    JSON,
)  # fmt: skip


@cli.command()
@click.argument("pictures", required=False, metavar="[FOLDER|ARCHIVE|sports|digits]")
@click.option(
    "--frameworks", callback=_names, metavar="NAMES", help="Separated by commas; all four otherwise."
)
@RECIPE_OPTIONS
def compare(**given: Any) -> None:
    """Train one network in several frameworks on the same pictures."""
    _compare(**given)


@cli.command()
@click.argument("pictures", metavar="FOLDER|ARCHIVE|sports|digits")
@click.option(
    "--framework", "frameworks", callback=_names, help="pytorch, unless the recipe names one.", metavar="NAME"
)
@RECIPE_OPTIONS
def train(**given: Any) -> None:
    """Train one network in one framework."""
    _compare(frameworks_otherwise=["pytorch"], **given)


def _compare(
    *, optimizer: str | None, learning_rate: float | None, schedule: str | None, fit: str | None,
    resize: str | None, recipe: Path | None, as_json: bool, frameworks_otherwise: list[str] | None = None,
    **given: Any,
) -> None:  # fmt: skip
    from triptych.commands.compare import compare
    from triptych.files import merge
    from triptych.running.recipe import read_recipe
    from triptych.terminal import Progress

    tables = read_recipe(recipe) if recipe else {}
    if frameworks_otherwise is not None:
        tables.setdefault("frameworks", frameworks_otherwise)
    merge(tables, {"fit": fit, "resize": resize, "optimizer": {"name": optimizer},
                   "schedule": {"name": schedule, "learning_rate": learning_rate}})  # fmt: skip
    with Progress() as progress:
        result = compare(recipe=tables, listen=progress, **given)
    _show_result(result, as_json)


@cli.command()
@click.argument("run", metavar="RUN")
@PATIENCE
@JSON
def resume(run: str, patience: float, as_json: bool) -> None:
    """Go on with a run that was interrupted; RUN is its folder."""
    from triptych.commands.compare import resume
    from triptych.terminal import Progress

    with Progress() as progress:
        result = resume(run, patience=patience, listen=progress)
    _show_result(result, as_json)


def _show_result(result: Comparison, as_json: bool) -> None:
    from triptych import terminal

    if as_json:
        _print_json(result)
    else:
        lines = [*terminal.problem_lines(result.pictures), terminal.result_table(result)]
        terminal.show(
            *lines, *terminal.agreement_lines(result), f"Report: {Path(result.folder) / 'report.html'}"
        )
    differ = result.equivalence is not None and result.equivalence.verdict == "different"
    if differ or result.failed or not any(one.status == "done" for one in result.frameworks.values()):
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("network", required=False, metavar="[NETWORK|RUN]")
@click.option("--network", "file", metavar="NAME|FILE", help="A network of the zoo, or a .toml file.")
@click.option(
    "--frameworks", callback=_names, metavar="NAMES", help="Separated by commas; all four otherwise."
)
@click.option("--precision", default="float64", show_default=True, metavar="NAME",
              help="float64 proves; float32 and bfloat16 have a budget.")  # fmt: skip
@click.option("--steps", type=int, default=50, show_default=True, metavar="N", help="Length of a training.")
@click.option("--optimizer", "optimizers", callback=_names, metavar="NAMES",
              help="What it is trained by: adamw, adam, sgd, rmsprop.")  # fmt: skip
@click.option("--pictures", metavar="FOLDER|ARCHIVE|sports|digits", help="Instead of seeded noise.")
@click.option("--size", type=int, metavar="PX", help="Height and width of the network's pictures.")
@click.option("--batch", type=int, default=8, show_default=True, metavar="N", help="Pictures a step.")
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="N", help="Decides all that is random."
)
@click.option("--no-probes", is_flag=True, help="Ask about this network only.")
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE",
              help="Ask a stored certificate's questions again.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where certificate and page go.")
@PATIENCE
@JSON
@click.pass_context
def verify(
    ctx: click.Context, /, network: str | None, file: str | None, certificate: Path | None, out: Path | None,
    patience: float, as_json: bool, no_probes: bool, **given: Any,
) -> None:  # fmt: skip
    """Prove that the frameworks compute the same network, or name the first place where they do not.

    Exit code 0 if they are equal, 1 if they differ, 2 if it is inconclusive.
    """
    from triptych import terminal
    from triptych.commands.verify import verify, verify_again

    if network is not None and file is not None:
        raise click.UsageError(f"{network!r} and --network {file}: give one network")
    with terminal.ProofProgress() as progress:
        if certificate is not None:
            more = [
                parameter.opts[0] if isinstance(parameter, click.Option) else str(network)
                for parameter in ctx.command.params
                if ctx.get_parameter_source(parameter.name or "") == ParameterSource.COMMANDLINE
                and parameter.name not in ("certificate", "out", "patience", "as_json")
            ]
            if more:
                raise click.UsageError(f"--certificate says all that is asked; leave out {more[0]}")
            done = verify_again(certificate, out=out, patience=patience, listen=progress)
        else:
            chosen = network or file or "sports-cnn"
            done = verify(chosen, probes=not no_probes, out=out, patience=patience, listen=progress, **given)
    if as_json:
        _print_json(done.certificate)
    else:
        terminal.show(*terminal.certificate_parts(done.certificate))
        if done.folder is not None:
            page = done.folder / "certificate.html"
            terminal.show(f"Certificate: {page.with_suffix('.json')}, to look at: {page}")
    if done.certificate.verdict != "equal":
        raise click.exceptions.Exit(1 if done.certificate.verdict == "different" else 2)


@cli.command()
@click.argument("network", default="sports-cnn", metavar="[NETWORK|FILE]")
@click.option("--size", type=int, metavar="PX", help="Height and width of the pictures; the network's own.")
@click.option("--batch", type=int, default=32, show_default=True, metavar="N", help="Pictures a step.")
@click.option("--precision", default="float32", show_default=True, metavar="NAME",
              help="float32, float64 or bfloat16.")  # fmt: skip
@click.option(
    "--frameworks", callback=_names, metavar="NAMES", help="Separated by commas; all four otherwise."
)
@click.option("--pictures", metavar="FOLDER|ARCHIVE|sports|digits", help="Real input; sports otherwise.")
@click.option("--repeats", type=int, default=5, show_default=True, metavar="N", help="Rounds.")
@click.option("--seconds", type=float, default=1.0, show_default=True, metavar="X",
              help="Length of a measurement.")  # fmt: skip
@click.option("--threads", type=int, metavar="N", help="For each framework; one a core otherwise.")
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE",
              help="What allows a ranking; the newest below runs/ that fits otherwise.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where figures and page go.")
@PATIENCE
@JSON
def bench(network: str, as_json: bool, **given: Any) -> None:
    """Measure what each framework costs here: time, memory, energy, share of the machine's peak.

    One process a framework, equal threads, measured in turn. Nothing is ranked without a certificate that
    they compute the same: see triptych verify.
    """
    from triptych import terminal
    from triptych.commands.bench import bench

    with terminal.BenchProgress() as progress:
        done = bench(network, listen=progress, **given)
    if as_json:
        _print_json(done)
    else:
        terminal.show(*terminal.bench_parts(done))
    if not done.done or any(one.status == "failed" for one in done.frameworks.values()):
        raise click.exceptions.Exit(1)


ANSWERING = options(
    click.option("--framework", metavar="NAME",
                 help="What computes: any that is installed, whichever framework was trained."),
    click.option("--weights", metavar="NAME", help="The framework whose weights are used: its own, or the "
                 "best on the validation part."),
)  # fmt: skip


@cli.command()
@click.argument("run", metavar="RUN")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE|FOLDER...")
@ANSWERING
@click.option("--csv", "form", flag_value="csv", help="Print CSV, a row a picture.")
@click.option("--jsonl", "form", flag_value="jsonl", help="Print JSON lines, one a picture.")
@JSON
def predict(run: str, pictures: tuple[str, ...], form: str | None, as_json: bool, **given: Any) -> None:
    """Label pictures with what a run has learned.

    Exit code 0 if all were read, 1 if some could not be, 2 if none could.
    """
    from triptych import terminal
    from triptych.commands.predict import predict

    if form is not None and as_json:
        raise click.UsageError(f"--json and --{form}: give one of them")
    found = predict(run, pictures, **given)
    if as_json:
        _print_json(found)
    elif form is not None:
        click.echo(found.to_csv() if form == "csv" else found.to_json_lines(), nl=False)
    else:
        terminal.show(*terminal.prediction_lines(found))
    aside = terminal.passed_over_lines(found)
    if form is not None:
        aside += found.model.sentences()
    if found.failed:
        aside.append(f"triptych: {len(found.failed):,} of {len(found.predictions):,} files cannot be read")
    for line in aside:
        click.echo(line, err=True)
    if found.failed:
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("run", metavar="RUN")
@click.argument("pictures", metavar="FOLDER|ARCHIVE|sports|digits")
@click.option("--part", type=click.Choice(["test", "validation", "train", "all"]), default="test",
              show_default=True, help="Which of the pictures; those that the run knows are in the part that "
              "they had there.")  # fmt: skip
@ANSWERING
@JSON
def evaluate(run: str, pictures: str, as_json: bool, **given: Any) -> None:
    """Score a run's network on the pictures of a folder that it has not trained on."""
    from triptych import terminal
    from triptych.commands.predict import evaluate

    evaluation = evaluate(run, pictures, **given)
    if as_json:
        _print_json(evaluation)
    else:
        terminal.show(*terminal.evaluation_parts(evaluation))


@cli.command()
@click.argument("pictures", default="sports", metavar="[FOLDER|ARCHIVE|sports|digits|REPLAY]")
@click.option("--recipes", callback=_names, metavar="NAMES|FILES",
              help="Separated by commas; the talk's three notebooks otherwise.")  # fmt: skip
@click.option("--seeds", type=int, default=3, show_default=True, metavar="N", help="Trainings of each step.")
@click.option("--framework", default="pytorch", show_default=True, metavar="NAME",
              help="The one that all is trained in.")  # fmt: skip
@click.option("--epochs", type=int, default=12, show_default=True, metavar="N", help="For all recipes alike.")
@click.option("--size", type=int, default=32, show_default=True, metavar="PX", help="For all recipes alike.")
@click.option(
    "--unscaled", is_flag=True, help="Each recipe's own epochs and size, as in 2017: days on a CPU."
)
@click.option("--full", is_flag=True, help="sports with 7,096 and 1,775 pictures.")
@click.option("--worst", metavar="NAME", help="Where the walk begins; the recipe of the lowest accuracy.")
@click.option("--best", metavar="NAME", help="Where it ends; the recipe of the highest accuracy.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where figures and page go.")
@PATIENCE
@JSON
def replay(
    pictures: str, recipes: list[str] | None, unscaled: bool, epochs: int, size: int, as_json: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Why 70, 64 and 17 %? Train the talk's notebooks, then change one thing at a time.

    From the worst to the best recipe and back, with what each difference was worth. A replay that was
    interrupted goes on when its folder is given; what is trained is not trained again.
    """
    from triptych import terminal
    from triptych.commands.replay import replay

    if recipes is not None:
        given["recipes"] = recipes
    given |= {"epochs": None, "size": None} if unscaled else {"epochs": epochs, "size": size}
    with terminal.ReplayProgress() as progress:
        done = replay(pictures, listen=progress, **given)
    if as_json:
        _print_json(done)
    else:
        terminal.show(*terminal.replay_parts(done))


@cli.command()
@JSON
def runs(as_json: bool) -> None:
    """List the runs under runs/, newest first."""
    from triptych import terminal
    from triptych.running.summary import summaries

    found = summaries()
    if as_json:
        _print_json(found)
    else:
        lines = terminal.runs_lines(found)
        terminal.show(*(lines or ["No runs yet; begin with: triptych compare sports"]))


@cli.command()
@click.argument("source", metavar="FOLDER|ARCHIVE|sports|digits")
@click.option("--size", type=int, default=96, show_default=True, metavar="PX")
@click.option("--sheet", type=click.Path(path_type=Path), default=Path("contact-sheet.png"),
              show_default=True, metavar="FILE", help="Where the contact sheet goes.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Decides the split.")
@click.option("--save-to", type=click.Path(path_type=Path), metavar="DIR",
              help="Also write the pictures, as decoded, to a folder of PNG files.")  # fmt: skip
@click.option("--full", is_flag=True, help="sports with 7,096 and 1,775 pictures.")
@click.option("--strict", is_flag=True, help="End with exit code 2 if any picture has a problem.")
@JSON
def pictures(
    source: str, size: int, sheet: Path, seed: int, save_to: Path | None, full: bool, strict: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Check a folder or archive of pictures: problems, counts per class, a contact sheet."""
    from triptych import terminal
    from triptych.images.export import save_pictures
    from triptych.images.sheet import contact_sheet, describe
    from triptych.images.source import open_pictures
    from triptych.images.split import split

    with terminal.Progress() as progress:
        store = open_pictures(
            source, size=(size, size), full=full, strict=strict, progress=progress.pictures_bar
        )
    if save_to is not None:
        save_pictures(store, save_to)
    contact_sheet(store, sheet)
    found = describe(store, split(store.labels, store.sides, seed))
    if as_json:
        _print_json({**found, "sheet": str(sheet)})
    else:
        terminal.show(
            *terminal.problem_lines(found), terminal.pictures_table(found), f"Contact sheet: {sheet}"
        )


@cli.command()
@click.option(
    "--clear", is_flag=True, help="Delete every store; runs go on, and decode again when they must."
)
@JSON
def cache(clear: bool, as_json: bool) -> None:
    """Show the decoded pictures that are kept, or clear them."""
    from triptych import terminal
    from triptych.images import cache

    if clear:
        stores, size = cache.clear()
        _print_json({"stores": stores, "bytes": size}) if as_json else terminal.show(
            f"{stores} store(s) deleted, {size / 2**20:,.1f} MiB"
        )
    elif as_json:
        _print_json(cache.list_stores())
    else:
        terminal.show(*terminal.cache_parts(cache.list_stores(), cache.cache_folder()))


@cli.command()
@JSON
def networks(as_json: bool) -> None:
    """List the networks that come with Triptych."""
    from triptych import terminal
    from triptych.network.zoo import list_zoo

    terminal.show(terminal.networks_table(list_zoo())) if not as_json else _print_json(list_zoo())


@cli.command()
@click.argument("network", metavar="NETWORK|FILE")
@FRAMEWORK
@click.option("--size", type=int, metavar="PX", help="Height and width of its pictures.")
@click.option("--classes", type=click.IntRange(2), metavar="N", help="How many classes it tells apart.")
@click.option("--toml", is_flag=True, help="Print the architecture file instead, to begin one of your own.")
def show(network: str, framework: str | None, size: int | None, classes: int | None, toml: bool) -> None:
    """Print a network's source in each framework, side by side where there is room."""
    from triptych import terminal
    from triptych.network.zoo import find_network
    from triptych.running.sources import written

    architecture = find_network(network).adapted(None if size is None else (size, size), classes)
    if toml:
        click.echo(architecture.to_toml(), nl=False)
    elif framework:
        terminal.show_source(written(architecture, [framework])[framework])
    else:
        terminal.show_sources(written(architecture))


@cli.command()
@click.argument("network", default="sports-cnn", metavar="[NETWORK|FILE|RUN]")
@click.option("--framework", default="pytorch", show_default=True, metavar="NAME",
              help="keras, tensorflow, pytorch or jax.")  # fmt: skip
@click.option("--as", "form", default="script", show_default=True, metavar="FORM",
              help="script, notebook or package.")  # fmt: skip
@click.option("--recipe", type=click.Path(path_type=Path), metavar="FILE", help="How it is to be trained.")
@click.option("--pictures", metavar="FOLDER|ARCHIVE|sports|digits",
              help="What it is meant for: decides classes, size and recipe.  [default: the built-in set "
                   "that the network fits]")  # fmt: skip
@click.option("--size", type=int, metavar="PX", help="Height and width of its pictures.")
@click.option("--classes", type=click.IntRange(2), metavar="N", help="How many classes it tells apart.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where it goes.")
@JSON
def eject(as_json: bool, **given: Any) -> None:
    """Write a program that trains, evaluates and predicts, and does not need Triptych.

    From a run it takes recipe and weights along.
    """
    from triptych import terminal
    from triptych.commands.eject import eject

    done = eject(**given)
    if as_json:
        _print_json(done)
    else:
        terminal.show(f"Ejected: {done.path}", *(f"  {path}" for path in done.files if path != done.path))


@cli.command()
@click.argument("number", required=False, type=int, metavar="[NUMBER]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("lessons"), show_default=True,
              metavar="DIR", help="Where your copy of the lesson goes; one that is there stays.")  # fmt: skip
@click.option("--no-open", is_flag=True, help="Only copy it.")
@JSON
def lessons(number: int | None, out: Path, no_open: bool, as_json: bool) -> None:
    """List the lessons, or take one away and open it in JupyterLab."""
    from triptych import terminal
    from triptych.commands import lessons as teaching

    if number is None:
        found = teaching.list_lessons()
        _print_json(found) if as_json else terminal.show(terminal.lessons_table(found))
        return
    mine = teaching.take_lesson(teaching.find_lesson(number), out)
    _print_json({"lesson": mine}) if as_json else terminal.show(f"Lesson: {mine}")
    if not no_open and not as_json and not teaching.open_notebook(mine):
        terminal.show("To open it here: pip install 'triptych[lessons]'")


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell's completion script; for bash: eval "$(triptych completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "triptych", COMPLETION).source())


def _print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def main() -> None:
    """Run the command line; errors are one line each, and every way out has its exit code."""
    raise_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a class may be called what the terminal cannot spell
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "triptych", COMPLETION, instruction))
    if sys.platform == "win32":
        click.echo("triptych: Windows is not supported; use Linux, macOS or Linux on Windows (WSL)", err=True)
        sys.exit(2)
    try:
        status = _run()
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor may the flush at exit fail
        status = 0  # the reader of a pipe has seen enough
        if error.errno != errno.EPIPE:
            what = "cannot write" if error.filename is None else f"{error.filename}: cannot be used"
            click.echo(f"triptych: {what}: {error.strerror}", err=True)
            status = 2
    sys.exit(status)


def _run() -> int:
    """The exit code of the command that the arguments name."""
    try:
        with cli.make_context("triptych", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except TriptychError as error:
        logged = isinstance(error, WorkerFailed)  # the only message of several lines
        said = str(error) if logged else str(error).replace("\n", "\\n")
        click.echo(f"triptych: {visible(said)}", err=True)
        return error.exit_code
    except Interrupted as interruption:
        return _interrupted(interruption)
    return 0


def _interrupted(interruption: Interrupted) -> int:
    """Say what has become of the work; gives the exit code."""
    notes = getattr(interruption, "__notes__", None) or ["run the same command again to start over"]
    with contextlib.suppress(OSError):  # after SIGHUP there may be no terminal to say it on
        click.echo(f"triptych: interrupted; {notes[0]}", err=True)
    return interruption.exit_code


if __name__ == "__main__":
    main()
