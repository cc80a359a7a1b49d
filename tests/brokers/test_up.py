"""`headgate local up --brokers`: every broker beside one cluster, and nothing left of any of them, however it ended."""

import os
import signal
from pathlib import Path

import aio_pika
import aiohttp
import nats
from confluent_kafka.admin import AdminClient
from tests.local.test_up_and_down import down, up

from headgate.local.processes import marked


async def test_all_brokers_are_reached_by_the_env_file_and_nothing_is_left_after_a_kill(
    tmp_path: Path,
) -> None:
    async with up(tmp_path, "--brokers", "nats,kafka,rabbitmq", limit=180) as cluster:
        env, mark = cluster.env(), cluster.mark()
        await reach(env)
        cluster.process.send_signal(signal.SIGKILL)
        await cluster.process.wait()
        left = {program(pid) for pid in marked(mark)}
        assert {"etcd", "nats-server", "java", "beam.smp", "epmd"} <= left
        assert "processes left of it" in await down(tmp_path)
        assert marked(mark) == []


async def reach(env: dict[str, str]) -> None:
    """Do a little with each of them, by what the file says."""
    client = await nats.connect(env["NATS_URL"])
    await client.close()
    seen = AdminClient({"bootstrap.servers": env["KAFKA_BOOTSTRAP_SERVERS"]}).list_topics(timeout=10)
    assert "__consumer_offsets" in seen.topics
    user, password = env["RABBITMQ_USERNAME"], env["RABBITMQ_PASSWORD"]
    amqp = env["RABBITMQ_URL"].replace("://", f"://{user}:{password}@")
    async with await aio_pika.connect(amqp) as connection:
        await connection.channel()
    url = f"{env['RABBITMQ_MANAGEMENT_URL']}/api/whoami"
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as answer:
        assert (await answer.json())["name"] == user


def program(pid: int) -> str:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115, PTH119  (the link may name what is gone)
    except OSError:
        return ""
