"""`triptych networks` and `show` on the command line."""

from __future__ import annotations

import click

from triptych.command_line import JSON, Command, print_json


@click.command(cls=Command)
@JSON
def networks(as_json: bool) -> None:
    """List the networks that come with Triptych."""
    from triptych.commands.networks.terminal import networks_table
    from triptych.network.zoo import list_zoo
    from triptych.terminal import show

    show(networks_table(list_zoo())) if not as_json else print_json(list_zoo())


@click.command(cls=Command)
@click.argument("network", metavar="NETWORK|FILE")
@click.option(
    "--framework",
    metavar="NAME",
    help="Only this one: keras, tensorflow, pytorch, jax, keras:jax, keras:torch.",
)
@click.option(
    "--image-size", type=int, metavar="PX", help="Height and width of its input."
)
@click.option(
    "--classes",
    type=click.IntRange(2),
    metavar="N",
    help="Number of classes.",
)
@click.option(
    "--toml",
    is_flag=True,
    help="Print the architecture file instead, as a start for one of your own.",
)
def show(
    network: str,
    framework: str | None,
    image_size: int | None,
    classes: int | None,
    toml: bool,
) -> None:
    """Print a network's source in each framework, side by side if there is room."""
    from triptych.commands.networks.terminal import show_source, show_sources
    from triptych.frameworks import registry
    from triptych.network.zoo import find_network

    architecture = find_network(network).adapted(
        None if image_size is None else (image_size, image_size), classes
    )
    if toml:
        click.echo(architecture.to_toml(), nl=False)
    elif framework:
        show_source(registry.find(framework).writer().write_network(architecture))
    else:
        writers = {name: registry.find(name).writer() for name in registry.DEFAULT}
        show_sources(
            {name: one.write_network(architecture) for name, one in writers.items()}
        )
