"""Makes the stage ready before the story begins: Headgate installed, the shop's estate read. Tells no story."""

from headgate.local.cache import Say
from headgate.local.cluster import Cluster
from headgate.local.demo.broker import Broker
from headgate.local.demo.shop import SHOP, Place, placed, read
from headgate.local.demo.stage import Stage
from headgate.local.demo.timeline import Timeline
from headgate.local.errors import LocalError
from headgate.local.install import install
from headgate.local.manifests import Install


async def prepare(cluster: Cluster, say: Say, began: float) -> Stage:
    """Install Headgate into the cluster, connect to the broker."""
    if cluster.nats is None:
        raise LocalError("NoBroker", "the cluster has no NATS server")
    manifests = read()
    await install(cluster, Install(), say)
    ledgers = cluster.run.state / "ledgers"
    ledgers.mkdir()
    return Stage(
        cluster=cluster,
        nats=cluster.nats,
        api=cluster.client(),
        broker=await Broker.connect(cluster.nats.url),
        estate=placed(manifests, Place(cluster.nats.url, SHOP, ledgers)),
        programs=SHOP,
        ledgers=ledgers,
        timeline=Timeline(),
        began=began,
    )
