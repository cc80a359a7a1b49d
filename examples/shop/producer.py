"""A producer of the shop: publishes numbered orders at a rate and repeats each until the broker has confirmed it.

    python producer.py --servers nats://127.0.0.1:4222 --rate 20 --count 1000 --fail-every 100

Like any producer it only needs to know where the broker is (here from the option, the variable NATS_URL, or file
`servers` of a mounted binding) and its subject. Every order has its number in the header that the broker uses to
recognise repeats. Options add the headers by which an order asks `worker.py` for trouble.
"""

import argparse
import asyncio
import json
import os
import signal
import time
from pathlib import Path

import nats
from nats.errors import Error

BEHIND = 0.5  # seconds until what was not confirmed is published again
AT_ONCE = 256  # orders on their way


def arguments() -> argparse.Namespace:
    """What to publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", default=_servers(), help="addresses, separated by commas")
    parser.add_argument("--subject", default="orders.{customer}.paid", help="{customer} is filled in")
    parser.add_argument("--customers", type=int, default=50)
    parser.add_argument(
        "--rate", type=float, default=20.0, help="orders a second; 0: as fast as they are confirmed"
    )
    parser.add_argument("--count", type=int, default=0, help="how many; left out: until SIGTERM")
    parser.add_argument("--first", type=int, default=1, help="number of the first order")
    parser.add_argument("--run", default=str(os.getpid()), help="tells the orders of one run from another's")
    parser.add_argument("--size", type=int, default=100, help="bytes of one order, at least")
    parser.add_argument("--fail", default="SchemaError", help="what orders of --fail-every fail with")
    parser.add_argument("--fail-every", type=int, default=0, help="every n-th order fails at the worker")
    parser.add_argument("--crash-every", type=int, default=0, help="every n-th order kills the worker")
    parser.add_argument("--crash-times", type=int, default=1, help="at how many attempts it does")
    parser.add_argument("--hang-every", type=int, default=0, help="every n-th order hangs in the worker once")
    parser.add_argument(
        "--ledger", default=os.environ.get("LEDGER", ""), help="file for a line per confirmed order"
    )
    return parser.parse_args()


def _servers() -> str:
    binding = os.environ.get("BINDING")
    return (
        (Path(binding) / "servers").read_text()
        if binding
        else os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
    )


def headers_of(args: argparse.Namespace, number: int) -> dict[str, str]:
    """The order's name, and the trouble it asks for."""
    troubles = (
        (args.fail_every, "shop-fail", args.fail),
        (args.crash_every, "shop-crash", str(args.crash_times)),
        (args.hang_every, "shop-hang", "1"),
    )
    asked = {name: value for every, name, value in troubles if every and number % every == 0}
    return {"Nats-Msg-Id": f"{args.run}-{number}", **asked}


async def main() -> None:
    """Publish until all orders are confirmed."""
    args = arguments()
    stop, slots = asyncio.Event(), asyncio.Semaphore(AT_ONCE)
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    servers = args.servers.strip().split(",")
    client = await nats.connect(
        servers, name="shop-producer", max_reconnect_attempts=-1, reconnect_time_wait=1
    )
    stream = client.jetstream()
    ledger = Path(args.ledger).open("a", buffering=1) if args.ledger else None  # noqa: ASYNC230, SIM115  (a local file, open to the end)

    async def publish(number: int) -> None:
        subject = args.subject.format(customer=f"c{number % args.customers}")
        body = json.dumps({"number": number, "at": time.time()}).ljust(args.size).encode()
        while True:
            try:
                confirmed = await stream.publish(subject, body, headers=headers_of(args, number), timeout=5)
            except (Error, TimeoutError):
                await asyncio.sleep(BEHIND)
                continue
            if ledger is not None:
                line = {"outcome": "published", "id": f"{args.run}-{number}", "sequence": confirmed.seq}
                ledger.write(json.dumps(line) + "\n")
            slots.release()
            return

    start, number = time.monotonic(), args.first
    async with asyncio.TaskGroup() as under_way:
        while not stop.is_set() and (not args.count or number < args.first + args.count):
            due = start + (number - args.first) / args.rate if args.rate else 0.0
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await slots.acquire()
            under_way.create_task(publish(number))
            number += 1
    print(f"{number - args.first} orders are confirmed", flush=True)
    await client.drain()


if __name__ == "__main__":
    asyncio.run(main())
