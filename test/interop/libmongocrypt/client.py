"""libmongocrypt's KMIP codec (MongoDB's client-side encryption) registers, activates and gets a master key.

Usage: /usr/bin/python3 client.py PORT CA CERT KEY      (PEM files)
Prints the Unique Identifier. KMIP 1.0: Register of a 96-byte Secret Data, Activate, Get.
"""

import ctypes
import os
import socket
import ssl
import sys

LIBRARY = "libkms_message.so.0"

kms = ctypes.CDLL(LIBRARY)
for name in [
    "kms_kmip_request_register_secretdata_new",
    "kms_kmip_request_activate_new",
    "kms_kmip_request_get_new",
    "kms_kmip_response_parser_new",
    "kms_response_parser_get_response",
]:
    getattr(kms, name).restype = ctypes.c_void_p
kms.kms_request_to_bytes.restype = ctypes.POINTER(ctypes.c_ubyte)
kms.kms_kmip_response_get_secretdata.restype = ctypes.POINTER(ctypes.c_ubyte)
for name in [
    "kms_kmip_response_get_unique_identifier",
    "kms_request_get_error",
    "kms_response_parser_error",
    "kms_response_get_error",
]:
    getattr(kms, name).restype = ctypes.c_char_p
kms.kms_response_parser_feed.restype = ctypes.c_bool


def exchange(connection, request):
    error = kms.kms_request_get_error(ctypes.c_void_p(request))
    assert not error, error
    length = ctypes.c_size_t()
    data = kms.kms_request_to_bytes(ctypes.c_void_p(request), ctypes.byref(length))
    connection.sendall(bytes(data[: length.value]))
    parser = ctypes.c_void_p(kms.kms_kmip_response_parser_new(None))
    while True:
        wanted = kms.kms_response_parser_wants_bytes(parser, 1024)
        assert wanted >= 0, kms.kms_response_parser_error(parser)
        if wanted == 0:
            break
        received = connection.recv(wanted)
        assert received, "the server closed the connection"
        assert kms.kms_response_parser_feed(parser, received, len(received)), kms.kms_response_parser_error(parser)
    return ctypes.c_void_p(kms.kms_response_parser_get_response(parser))


def main():
    port, ca, cert, key = sys.argv[1:5]
    kms.kms_message_init()
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)
    secret = os.urandom(96)
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", int(port))), server_hostname="localhost"
    ) as connection:
        registered = exchange(connection, kms.kms_kmip_request_register_secretdata_new(None, secret, 96))
        uid = kms.kms_kmip_response_get_unique_identifier(registered)
        assert uid, kms.kms_response_get_error(registered)
        activated = exchange(connection, kms.kms_kmip_request_activate_new(None, uid))
        assert kms.kms_kmip_response_get_unique_identifier(activated) == uid
        got = exchange(connection, kms.kms_kmip_request_get_new(None, uid))
        length = ctypes.c_size_t()
        data = kms.kms_kmip_response_get_secretdata(got, ctypes.byref(length))
        assert data, kms.kms_response_get_error(got)
        assert bytes(data[: length.value]) == secret
        missing = exchange(connection, kms.kms_kmip_request_get_new(None, b"no such object"))
        assert not kms.kms_kmip_response_get_secretdata(missing, ctypes.byref(length))
        print(uid.decode())


main()
