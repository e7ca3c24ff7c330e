"""Messages a second of PyKMIP's codec: pykmip-codec.py SECONDS REQUEST RESPONSE (hexadecimal TTLV, KMIP 1.4)."""

import json
import sys
import time

from kmip.core import utils
from kmip.core.enums import KMIPVersion
from kmip.core.messages import messages

seconds = float(sys.argv[1])
request, response = (bytes.fromhex(text) for text in sys.argv[2:4])


def decode(kind, data):
    message = kind()
    message.read(utils.BytearrayStream(data), kmip_version=KMIPVersion.KMIP_1_4)
    return message


def encode(message):
    message.write(utils.BytearrayStream(), kmip_version=KMIPVersion.KMIP_1_4)


def rate(work):
    began = time.perf_counter()
    done = 0
    while time.perf_counter() - began < seconds / 4:
        for _ in range(16):
            work()
        done += 16
    return done / (time.perf_counter() - began)


read_request = decode(messages.RequestMessage, request)
read_response = decode(messages.ResponseMessage, response)
print(
    json.dumps(
        {
            "decode-request": rate(lambda: decode(messages.RequestMessage, request)),
            "encode-request": rate(lambda: encode(read_request)),
            "decode-response": rate(lambda: decode(messages.ResponseMessage, response)),
            "encode-response": rate(lambda: encode(read_response)),
        }
    )
)
