"""A reader of a log must not learn a credential from a request that was not understood."""

import asyncio

import pytest
from aiohttp import web

from demonstrator.lib import log


@pytest.mark.parametrize("header", ["Authorization: Bearer {}\x01", "Authorization : Bearer {}", "{}"])
async def test_a_malformed_request_is_told_without_its_bytes(header: str, caplog: pytest.LogCaptureFixture) -> None:
    log.set_up()
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(f"GET / HTTP/1.1\r\nHost: here\r\n{header.format('s3cret')}\r\n\r\n".encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert [record.name for record in caplog.records] == ["aiohttp.server"]
    assert "s3cret" not in caplog.text
