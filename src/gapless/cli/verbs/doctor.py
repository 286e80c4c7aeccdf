"""``gapless doctor``."""

from __future__ import annotations

import asyncio

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Where, hosts_option, json_option, where_option


@click.command("doctor")
@hosts_option
@json_option
@where_option
def command(hosts: str | None, where: Where, *, as_json: bool) -> int:
    """Examine hosts and balancers: ssh, sudo, disk, units, health … Exits 3 if one is not fit."""
    from gapless import api
    from gapless.cli.output import result, result_json
    from gapless.render.spelling import spelled
    from gapless.render.tables import render_doctor

    findings = asyncio.run(api.doctor(where.load(), hosts))
    if as_json:
        result_json([{**f.to_json(), "remedy": spelled(f.remedy)} for f in findings])
    else:
        result(render_doctor(findings))
    well = all(finding.verdict.passed for finding in findings)
    return ExitCode.DONE if well else ExitCode.REFUSED
