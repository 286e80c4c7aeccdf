from __future__ import annotations

import base64

from tests.unit.drivers.runtimes.bench import DROPIN, FILE, STORE, Bench, lines, play


def test_all_fragments_are_kept_with_content_and_mode() -> None:
    async def case(bench: Bench) -> None:
        bench.host.files.write(DROPIN, "[Service]\nNice=5\n", 0o600)
        bench.unit.load()
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        assert {p: (base64.b64decode(c), m) for p, (c, m) in snapshot.files.items()} == {
            FILE: (b"[Service]\nExecStart=/old\n", "644"),
            DROPIN: (b"[Service]\nNice=5\n", "600"),
        }
        assert snapshot.stored == STORE
        assert bench.host.files.read(STORE + DROPIN) == b"[Service]\nNice=5\n"

    play(case)


def test_a_copy_that_is_there_is_never_overwritten() -> None:
    async def case(bench: Bench) -> None:
        first = await bench.runtime.snapshot(bench.transport, STORE)
        bench.host.files.write(FILE, "[Service]\nExecStart=/broken\n")
        assert await bench.runtime.snapshot(bench.transport, STORE) == first
        assert bench.host.files.read(STORE + FILE) == b"[Service]\nExecStart=/old\n"

    play(case)


def test_copies_somebody_cleaned_up_come_from_the_journal() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        bench.host.files.remove("/var/lib/gapless")
        bench.host.files.write(FILE, "[Service]\nExecStart=/new\n")
        await bench.run((await bench.runtime.restoration(bench.transport, snapshot)).commands)
        assert bench.host.files.read(FILE) == b"[Service]\nExecStart=/old\n"

    play(case)


def test_a_unit_file_that_is_a_link_stays_one() -> None:
    async def case(bench: Bench) -> None:
        files = bench.host.files
        files.write("/srv/shop/releases/1/shop.service", "one")
        files.write("/srv/shop/releases/2/shop.service", "two")
        files.link("releases/1", "/srv/shop/current")
        files.remove(FILE)
        files.link("/srv/shop/current/shop.service", FILE)
        bench.unit.load()
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        assert files.read(STORE + FILE) == b"one"
        files.link("releases/2", "/srv/shop/current")  # the release brings another content
        back = await bench.runtime.restoration(bench.transport, snapshot)
        assert not [line for line in lines(back.commands) if FILE in line]
        files.remove(FILE)
        files.write(FILE, "a file took its place")
        await bench.run((await bench.runtime.restoration(bench.transport, snapshot)).commands)
        node = files.node(FILE, follow=False)
        assert node is not None
        assert node.target == "/srv/shop/current/shop.service"

    play(case)


def test_files_of_others_are_not_removed() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        for path in ("/usr/lib/systemd/system/shop.service.d/x.conf",
                     "/etc/systemd/system/service.d/all.conf",
                     "/run/systemd/system/shop.service.d/y.conf"):  # fmt: skip
            bench.host.files.write(path, "")
            bench.unit.extra["DropInPaths"] = path
            back = await bench.runtime.restoration(bench.transport, snapshot)
            assert not [line for line in lines(back.commands) if line.startswith("mv")]

    play(case)


def test_the_fingerprint_is_that_of_all_fragments() -> None:
    async def case(bench: Bench) -> None:
        seen = [await bench.runtime.fingerprint(bench.transport)]
        bench.host.files.write(DROPIN, "[Service]\nNice=5\n")
        seen.append(await bench.runtime.fingerprint(bench.transport))
        bench.unit.load()
        seen.append(await bench.runtime.fingerprint(bench.transport))
        assert len(set(seen)) == 3
        bench.host.files.remove(DROPIN)
        bench.unit.load()
        assert await bench.runtime.fingerprint(bench.transport) == seen[0]

    play(case)


def test_a_drop_in_nobody_made_systemd_read_is_moved_aside_too() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        bench.host.files.write(DROPIN, "[Service]\nNice=5\n")
        await bench.run((await bench.runtime.restoration(bench.transport, snapshot)).commands)
        assert not bench.host.files.exists(DROPIN)
        assert bench.host.files.read(f"{STORE}/removed{DROPIN}") == b"[Service]\nNice=5\n"

    play(case)
