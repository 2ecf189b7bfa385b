"""Another implementation of mDNS: announces a service of the type of ours, and tells what it sees, a JSON object a line.

Usage: zeroconf_peer.py LABEL NODE_ID PORT ADDRESS; SIGTERM takes it back.
"""
import json
import signal
import socket
import sys
import threading

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf

TYPE = "_feral._tcp.local."
label, node_id, port, address = sys.argv[1:5]


def tell(**what):
    print(json.dumps(what), flush=True)


class Listener:
    def add_service(self, zc, kind, name):
        info = zc.get_service_info(kind, name, timeout=5000)
        if info is not None:
            text = {key.decode(): value.decode() for key, value in info.properties.items()}
            tell(event="add", name=name, port=info.port, addresses=info.parsed_addresses(IPVersion.All), text=text,
                 server=info.server)

    def update_service(self, zc, kind, name):
        pass

    def remove_service(self, zc, kind, name):
        tell(event="remove", name=name)


stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
zc = Zeroconf(interfaces=[address])
info = ServiceInfo(TYPE, f"{label}.{TYPE}", addresses=[socket.inet_aton(address)], port=int(port),
                   properties={"node_id": node_id, "version": "1.0.0"}, server=f"{label}.local.")
zc.register_service(info)
browser = ServiceBrowser(zc, TYPE, Listener())
tell(event="ready")
stopped.wait(300)
zc.unregister_service(info)
zc.close()
