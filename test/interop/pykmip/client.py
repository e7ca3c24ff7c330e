"""PyKMIP's client asks our server for all that it can ask, in one KMIP version.

Usage: /usr/bin/python3 client.py CONFIG VERSION      (VERSION: 1.0 1.1 1.2 1.3 1.4 2.0)
Prints one JSON object a line: {"check": NAME, "error": null or text}. Checks that the version has no operation
for are not run.
"""

import datetime
import hashlib
import hmac
import json
import logging
import sys
import time
import traceback

from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
from cryptography.x509.oid import NameOID
from kmip.core import enums, objects as structures, primitives
from kmip.core.attributes import CryptographicParameters, Name, PrivateKeyUniqueIdentifier
from kmip.core.factories.attributes import AttributeFactory
from kmip.core.messages import contents, messages, payloads
from kmip.core.exceptions import OperationFailure
from kmip.pie import objects
from kmip.pie.client import ProxyKmipClient
from kmip.pie.exceptions import KmipOperationFailure

Algorithm = enums.CryptographicAlgorithm
Mask = enums.CryptographicUsageMask
Mode = enums.BlockCipherMode
Padding = enums.PaddingMethod
Hash = enums.HashingAlgorithm
Reason = enums.ResultReason
ALL_MASKS = [Mask.ENCRYPT, Mask.DECRYPT]

logging.disable(logging.CRITICAL)
CONFIG, VERSION = sys.argv[1:3]
MAJOR, MINOR = (int(part) for part in VERSION.split("."))
CHECKS = []
attributes = AttributeFactory()
counter = 0


def check(since=(1, 0), until=(9, 9)):
    """Registers a check that versions from `since` to `until` can make."""

    def register(function):
        if since <= (MAJOR, MINOR) <= until:
            CHECKS.append(function)
        return function

    return register


def unique(name):
    global counter
    counter += 1
    return "pykmip %s %s %d %d" % (VERSION, name, counter, time.time_ns())


def refused(reasons, function, *args, **kwargs):
    """The call must fail for one of the reasons."""
    try:
        function(*args, **kwargs)
    except KmipOperationFailure as failure:
        assert failure.reason in reasons, "refused with %s, not %s" % (failure.reason, reasons)
        return
    raise AssertionError("not refused")


def aes_key(client, masks=ALL_MASKS, value=None, active=True):
    value = value or bytes(range(32))
    key = objects.SymmetricKey(Algorithm.AES, len(value) * 8, value, masks=masks, name=unique("aes"))
    uid = client.register(key)
    if active:
        client.activate(uid)
    return uid, value


def rsa_key(client, private_masks, public_masks):
    """An RSA key pair of ours, registered."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    private_uid = client.register(
        objects.PrivateKey(
            Algorithm.RSA, 2048, private, enums.KeyFormatType.PKCS_8, masks=private_masks, name=unique("private")
        )
    )
    public_uid = client.register(
        objects.PublicKey(
            Algorithm.RSA, 2048, public, enums.KeyFormatType.PKCS_1, masks=public_masks, name=unique("public")
        )
    )
    client.activate(private_uid)
    client.activate(public_uid)
    return key, private_uid, public_uid


def named(name):
    return Name.create(name, enums.NameType.UNINTERPRETED_TEXT_STRING)


def attribute_of(kind, value, index=None):
    return attributes.create_attribute(kind, value, index)


# Discovery


@check(since=(1, 1))
def discover_versions(client):
    result = client.proxy.discover_versions()
    assert result.result_status.value == enums.ResultStatus.SUCCESS
    versions = [(version.major, version.minor) for version in result.protocol_versions]
    assert versions == [(2, 1), (2, 0), (1, 4), (1, 3), (1, 2), (1, 1), (1, 0)], versions


@check()
def query(client):
    functions = [
        enums.QueryFunction.QUERY_OPERATIONS,
        enums.QueryFunction.QUERY_OBJECTS,
        enums.QueryFunction.QUERY_SERVER_INFORMATION,
        enums.QueryFunction.QUERY_APPLICATION_NAMESPACES,
    ]
    if (MAJOR, MINOR) >= (1, 1):
        functions += [
            enums.QueryFunction.QUERY_EXTENSION_LIST,
            enums.QueryFunction.QUERY_EXTENSION_MAP,
        ]
    result = client.proxy.query(query_functions=functions)
    assert result.result_status.value == enums.ResultStatus.SUCCESS
    assert enums.Operation.CREATE in result.operations
    assert enums.ObjectType.SYMMETRIC_KEY in result.object_types
    assert result.vendor_identification


# Objects that the server makes


@check()
def create(client):
    for algorithm, length, size in [
        (Algorithm.AES, 128, 16),
        (Algorithm.AES, 192, 24),
        (Algorithm.AES, 256, 32),
        (Algorithm.TRIPLE_DES, 192, 24),
    ]:
        uid = client.create(algorithm, length, name=unique("create"), cryptographic_usage_mask=ALL_MASKS)
        key = client.get(uid)
        assert isinstance(key, objects.SymmetricKey)
        assert (key.cryptographic_algorithm, key.cryptographic_length) == (algorithm, length)
        assert len(key.value) == size


@check()
def create_with_unknown_algorithm(client):
    refused([Reason.INVALID_FIELD], client.create, Algorithm.RSA, 2048)


@check()
def create_key_pair(client):
    public_uid, private_uid = client.create_key_pair(
        Algorithm.RSA,
        2048,
        public_name=unique("public"),
        public_usage_mask=[Mask.ENCRYPT, Mask.VERIFY],
        private_name=unique("private"),
        private_usage_mask=[Mask.DECRYPT, Mask.SIGN],
    )
    public, private = client.get(public_uid), client.get(private_uid)
    assert isinstance(public, objects.PublicKey) and isinstance(private, objects.PrivateKey)
    assert public.cryptographic_length == private.cryptographic_length == 2048


@check()
def rekey(client):
    uid, value = aes_key(client)
    new_uid = client.rekey(uid)
    assert new_uid != uid
    new = client.get(new_uid)
    assert new.value != value and len(new.value) == len(value)
    assert client.get(uid).value == value


@check(since=(1, 1))
def rekey_key_pair(client):
    public_uid, private_uid = client.create_key_pair(
        Algorithm.RSA,
        2048,
        public_name=unique("public"),
        public_usage_mask=[Mask.VERIFY],
        private_name=unique("private"),
        private_usage_mask=[Mask.SIGN],
    )
    result = client.proxy.rekey_key_pair(private_key_uuid=PrivateKeyUniqueIdentifier(private_uid))
    assert result.result_status.value == enums.ResultStatus.SUCCESS, result.result_message
    assert result.private_key_uuid not in (None, private_uid)
    assert result.public_key_uuid not in (None, public_uid)


# Objects that the client brings


@check()
def register_and_get(client):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    formats = serialization.PrivateFormat
    private = {
        enums.KeyFormatType.PKCS_1: formats.TraditionalOpenSSL,
        enums.KeyFormatType.PKCS_8: formats.PKCS8,
    }
    public = {
        enums.KeyFormatType.PKCS_1: serialization.PublicFormat.PKCS1,
        enums.KeyFormatType.X_509: serialization.PublicFormat.SubjectPublicKeyInfo,
    }
    brought = [
        objects.SymmetricKey(Algorithm.AES, 128, b"\x0f" * 16, masks=ALL_MASKS, name=unique("symmetric")),
        objects.SecretData(
            b"a password", enums.SecretDataType.PASSWORD, masks=[Mask.VERIFY], name=unique("secret")
        ),
        objects.OpaqueObject(b"\x00\x01\x02", enums.OpaqueDataType.NONE, name=unique("opaque")),
        objects.X509Certificate(certificate(key), masks=[Mask.VERIFY], name=unique("certificate")),
    ]
    for kmip, format in private.items():
        der = key.private_bytes(serialization.Encoding.DER, format, serialization.NoEncryption())
        brought.append(
            objects.PrivateKey(Algorithm.RSA, 2048, der, kmip, masks=[Mask.SIGN], name=unique("private"))
        )
    for kmip, format in public.items():
        der = key.public_key().public_bytes(serialization.Encoding.DER, format)
        brought.append(
            objects.PublicKey(Algorithm.RSA, 2048, der, kmip, masks=[Mask.VERIFY], name=unique("public"))
        )
    for thing in brought:
        found = client.get(client.register(thing))
        assert type(found) is type(thing)
        assert found.value == thing.value, type(thing)


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PyKMIP")])
    now = datetime.datetime.utcnow()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@check()
def register_a_wrapped_key(client):
    wrapping, wrapping_value = aes_key(client, [Mask.WRAP_KEY, Mask.UNWRAP_KEY])
    value = b"\x5a" * 16
    wrapped = keywrap.aes_key_wrap(wrapping_value, value)
    data = {
        "wrapping_method": enums.WrappingMethod.ENCRYPT,
        "encryption_key_information": {
            "unique_identifier": wrapping,
            "cryptographic_parameters": {"block_cipher_mode": Mode.NIST_KEY_WRAP},
        },
        "encoding_option": enums.EncodingOption.NO_ENCODING,
    }
    key = objects.SymmetricKey(
        Algorithm.AES, 128, wrapped, masks=ALL_MASKS, name=unique("wrapped"), key_wrapping_data=data
    )
    found = client.get(client.register(key))
    assert found.value == wrapped
    assert found.key_wrapping_data["encryption_key_information"]["unique_identifier"] == wrapping


@check()
def register_a_split_key(client):
    part = objects.SplitKey(
        cryptographic_algorithm=Algorithm.AES,
        cryptographic_length=128,
        key_value=b"\x01" * 16,
        cryptographic_usage_masks=ALL_MASKS,
        name=unique("split"),
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=enums.SplitKeyMethod.XOR,
    )
    found = client.get(client.register(part))
    assert isinstance(found, objects.SplitKey)
    assert (found.value, found.split_key_parts, found.key_part_identifier) == (b"\x01" * 16, 3, 1)


@check()
def derive_key(client):
    secret = bytes(range(16))

    def derive(method, parameters, length=128, masks=(Mask.DERIVE_KEY,)):
        base = objects.SymmetricKey(Algorithm.AES, 128, secret, masks=list(masks), name=unique("base"))
        uid = client.register(base)
        client.activate(uid)
        new = client.derive_key(
            enums.ObjectType.SYMMETRIC_KEY,
            [uid],
            method,
            parameters,
            cryptographic_length=length,
            cryptographic_algorithm=Algorithm.AES,
            cryptographic_usage_mask=ALL_MASKS,
        )
        return client.get(new).value

    sha256 = {"hashing_algorithm": Hash.SHA_256}
    data = b"derivation data"
    hmac256 = hmac.new(secret, data, hashlib.sha256).digest()
    derived = derive(
        enums.DerivationMethod.PBKDF2,
        {"cryptographic_parameters": sha256, "salt": b"salt and pepper!", "iteration_count": 1000},
    )
    assert derived == hashlib.pbkdf2_hmac("sha256", secret, b"salt and pepper!", 1000, 16), "PBKDF2"
    derived = derive(enums.DerivationMethod.HASH, {"cryptographic_parameters": sha256}, 256)
    assert derived == hashlib.sha256(secret).digest(), "HASH"
    derived = derive(
        enums.DerivationMethod.HMAC, {"cryptographic_parameters": sha256, "derivation_data": data}, 256
    )
    # PyKMIP's own server reads HMAC as HKDF; the specification says HMAC of the derivation data.
    assert derived == hmac256, "HMAC"
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(b"\x07" * 16)).encryptor()
    derived = derive(
        enums.DerivationMethod.ENCRYPT,
        {
            "cryptographic_parameters": {
                "block_cipher_mode": Mode.CBC,
                "padding_method": Padding.NONE,
                "cryptographic_algorithm": Algorithm.AES,
            },
            "initialization_vector": b"\x07" * 16,
            "derivation_data": b"\x42" * 16,
        },
    )
    assert derived == encryptor.update(b"\x42" * 16) + encryptor.finalize(), "ENCRYPT"
    derived = derive(
        enums.DerivationMethod.NIST800_108_C,
        {"cryptographic_parameters": sha256, "derivation_data": data},
        256,
    )
    assert derived == hmac.new(secret, b"\x00\x00\x00\x01" + data, hashlib.sha256).digest(), "800-108-C"


# Attributes

READABLE = [
    "Unique Identifier",
    "Name",
    "Object Type",
    "Cryptographic Algorithm",
    "Cryptographic Length",
    "Cryptographic Usage Mask",
    "State",
    "Initial Date",
    "Last Change Date",
]


@check()
def attribute_list_and_values(client):
    name = unique("named")
    uid = client.create(Algorithm.AES, 256, name=name, cryptographic_usage_mask=ALL_MASKS)
    names = client.get_attribute_list(uid)
    for expected in ["Cryptographic Algorithm", "Cryptographic Length", "Name", "State", "Unique Identifier"]:
        assert expected in names, names
    # PyKMIP 0.10 cannot decode all: it is asked for what it can.
    asked = [one for one in names if one in READABLE]
    found, values = client.get_attributes(uid, asked)
    assert found == uid
    by_name = {value.attribute_name.value: value.attribute_value for value in values}
    assert by_name["Cryptographic Length"].value == 256
    assert by_name["Name"].name_value.value == name
    assert by_name["State"].value == enums.State.PRE_ACTIVE


@check()
def modify_attribute(client):
    old, new = unique("old"), unique("new")
    uid = client.create(Algorithm.AES, 256, name=old, cryptographic_usage_mask=ALL_MASKS)
    if MAJOR >= 2:
        client.modify_attribute(
            uid,
            current_attribute=structures.CurrentAttribute(attribute=named(old)),
            new_attribute=structures.NewAttribute(attribute=named(new)),
        )
    else:
        _, changed = client.modify_attribute(uid, attribute=attribute_of(enums.AttributeType.NAME, new, 0))
        # The index that was named is in the answer.
        assert changed.attribute_index.value == 0
    assert client.get_attributes(uid, ["Name"])[1][0].attribute_value.name_value.value == new
    # The algorithm is fixed.
    try:
        if MAJOR >= 2:
            client.modify_attribute(
                uid,
                new_attribute=structures.NewAttribute(
                    attribute=primitives.Integer(128, enums.Tags.CRYPTOGRAPHIC_LENGTH)
                ),
            )
        else:
            client.modify_attribute(
                uid, attribute=attribute_of(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 128)
            )
    except OperationFailure as error:
        reasons = [Reason.READ_ONLY_ATTRIBUTE, Reason.ATTRIBUTE_READ_ONLY, Reason.PERMISSION_DENIED]
        assert error.reason in reasons, error.reason
    else:
        raise AssertionError("a length was changed")


@check()
def delete_attribute(client):
    name = unique("mortal")
    uid = client.create(Algorithm.AES, 256, name=name, cryptographic_usage_mask=ALL_MASKS)
    if MAJOR >= 2:
        client.delete_attribute(uid, current_attribute=structures.CurrentAttribute(attribute=named(name)))
    else:
        client.delete_attribute(uid, attribute_name="Name", attribute_index=0)
    assert "Name" not in client.get_attribute_list(uid)


@check(since=(2, 0))
def set_attribute(client):
    uid = client.create(Algorithm.AES, 256, name=unique("secret"), cryptographic_usage_mask=ALL_MASKS)
    client.set_attribute(uid, attribute_name="Sensitive", attribute_value=True)
    assert client.get_attributes(uid, ["Sensitive"])[1][0].attribute_value.value is True
    refused([Reason.SENSITIVE, Reason.PERMISSION_DENIED], client.get, uid)


@check()
def locate(client):
    name = unique("needle")
    uid = client.create(Algorithm.AES, 192, name=name, cryptographic_usage_mask=ALL_MASKS)
    client.create(Algorithm.AES, 192, name=unique("hay"), cryptographic_usage_mask=ALL_MASKS)

    def found(*wanted, **options):
        return client.locate(attributes=list(wanted), **options)

    kind = enums.AttributeType
    by_name = attribute_of(kind.NAME, named(name))
    assert found(by_name) == [uid]
    assert uid in found(
        attribute_of(kind.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY),
        attribute_of(kind.CRYPTOGRAPHIC_LENGTH, 192),
        attribute_of(kind.CRYPTOGRAPHIC_ALGORITHM, Algorithm.AES),
        attribute_of(kind.STATE, enums.State.PRE_ACTIVE),
    )
    assert found(by_name, attribute_of(kind.CRYPTOGRAPHIC_LENGTH, 128)) == []
    assert found(by_name, attribute_of(kind.STATE, enums.State.ACTIVE)) == []
    assert len(found(attribute_of(kind.CRYPTOGRAPHIC_LENGTH, 192), maximum_items=1)) == 1
    if (MAJOR, MINOR) >= (1, 3):
        all_of_them = found(attribute_of(kind.CRYPTOGRAPHIC_LENGTH, 192))
        assert found(attribute_of(kind.CRYPTOGRAPHIC_LENGTH, 192), offset_items=1) == all_of_them[1:]
    now = int(time.time())
    assert uid in found(
        attribute_of(kind.INITIAL_DATE, now - 100), attribute_of(kind.INITIAL_DATE, now + 100)
    )
    assert found(by_name, attribute_of(kind.INITIAL_DATE, 1), attribute_of(kind.INITIAL_DATE, 2)) == []


@check()
def locate_by_policy_name(client):
    if MAJOR >= 2:
        return
    name = unique("needle")
    uid = client.create(Algorithm.AES, 192, name=name, cryptographic_usage_mask=ALL_MASKS)
    kind = enums.AttributeType
    by_name = attribute_of(kind.NAME, named(name))

    def found(policy):
        return client.locate(attributes=[by_name, attribute_of(kind.OPERATION_POLICY_NAME, policy)])

    # What names no policy has the default one.
    assert found("default") == [uid]
    assert found("public") == []


def of_every_type():
    """An object of each type that the client can register, without a name of its own: the client's default."""
    rsa_private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = rsa_private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = rsa_private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    return [
        objects.SymmetricKey(Algorithm.AES, 128, b"\x0f" * 16, masks=ALL_MASKS),
        objects.SecretData(b"a password", enums.SecretDataType.PASSWORD, masks=[Mask.VERIFY]),
        objects.OpaqueObject(b"\x00\x01", enums.OpaqueDataType.NONE),
        objects.X509Certificate(certificate(rsa_private), masks=[Mask.VERIFY]),
        objects.PrivateKey(Algorithm.RSA, 2048, private, enums.KeyFormatType.PKCS_8, masks=[Mask.SIGN]),
        objects.PublicKey(Algorithm.RSA, 2048, public, enums.KeyFormatType.PKCS_1, masks=[Mask.VERIFY]),
        objects.SplitKey(
            cryptographic_algorithm=Algorithm.AES,
            cryptographic_length=128,
            key_value=b"\x01" * 16,
            cryptographic_usage_masks=ALL_MASKS,
            split_key_parts=3,
            key_part_identifier=1,
            split_key_threshold=2,
            split_key_method=enums.SplitKeyMethod.XOR,
        ),
    ]


@check()
def default_names(client):
    # Twice: the client gives all objects of a type the same name.
    for thing in of_every_type() + of_every_type():
        assert client.get(client.register(thing)).value == thing.value


# KMIP 1.0 to 1.4, section 3: what each version brought.
BROUGHT = [
    ((1, 0), "Unique Identifier, Name, Object Type, Cryptographic Algorithm, Cryptographic Length"),
    ((1, 0), "Cryptographic Parameters, Cryptographic Domain Parameters, Certificate Type, Digest"),
    ((1, 0), "Certificate Identifier, Certificate Subject, Certificate Issuer, Operation Policy Name"),
    ((1, 0), "Cryptographic Usage Mask, Lease Time, Usage Limits, State, Initial Date, Activation Date"),
    ((1, 0), "Process Start Date, Protect Stop Date, Deactivation Date, Destroy Date, Compromise Date"),
    ((1, 0), "Compromise Occurrence Date, Revocation Reason, Archive Date, Object Group, Link"),
    ((1, 0), "Application Specific Information, Contact Information, Last Change Date"),
    ((1, 1), "Certificate Length, X.509 Certificate Identifier, X.509 Certificate Subject"),
    ((1, 1), "X.509 Certificate Issuer, Digital Signature Algorithm, Fresh"),
    ((1, 2), "Alternative Name, Key Value Present, Key Value Location, Original Creation Date"),
    ((1, 3), "Random Number Generator"),
    ((1, 4), "PKCS#12 Friendly Name, Description, Comment, Sensitive, Always Sensitive, Extractable"),
    ((1, 4), "Never Extractable"),
]


@check()
def every_attribute(client):
    known = {name for since, names in BROUGHT if since <= (MAJOR, MINOR) for name in names.split(", ")}
    uids = [client.register(thing) for thing in of_every_type()]
    uids.append(client.create(Algorithm.AES, 256, cryptographic_usage_mask=ALL_MASKS))
    uids += client.create_key_pair(
        Algorithm.RSA, 2048, public_usage_mask=[Mask.VERIFY], private_usage_mask=[Mask.SIGN]
    )
    for uid in uids:
        if MAJOR < 2:
            names = client.get_attribute_list(uid)
            # Of certificates 1.4 tells the parts of their names too.
            strange = [name for name in names if name not in known and not name.startswith("Certificate ")]
            assert strange == [], strange
        found, values = client.get_attributes(uid)
        assert found == uid
        told = {value.attribute_name.value for value in values}
        assert {"Unique Identifier", "Object Type", "State", "Initial Date"} <= told, told


# Life cycle


@check()
def life_cycle(client):
    uid = client.create(Algorithm.AES, 256, name=unique("mortal"), cryptographic_usage_mask=ALL_MASKS)
    client.activate(uid)
    refused([Reason.PERMISSION_DENIED, Reason.WRONG_KEY_LIFECYCLE_STATE], client.activate, uid)
    refused([Reason.PERMISSION_DENIED, Reason.WRONG_KEY_LIFECYCLE_STATE], client.destroy, uid)
    client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid, "enough")
    state = client.get_attributes(uid, ["State"])[1][0].attribute_value.value
    assert state == enums.State.DEACTIVATED
    client.destroy(uid)
    refused([Reason.ITEM_NOT_FOUND, Reason.OBJECT_DESTROYED], client.get, uid)
    compromised = client.create(Algorithm.AES, 256, name=unique("leak"), cryptographic_usage_mask=ALL_MASKS)
    client.revoke(
        enums.RevocationReasonCode.KEY_COMPROMISE, compromised, "found on a bus", int(time.time()) - 60
    )
    state = client.get_attributes(compromised, ["State"])[1][0].attribute_value.value
    assert state == enums.State.COMPROMISED
    client.destroy(compromised)


@check()
def check_usage(client):
    uid, _ = aes_key(client, [Mask.ENCRYPT])
    assert client.check(uid, cryptographic_usage_mask=[Mask.ENCRYPT]) == uid
    # The client falls over a Check that fails, so what it is not for is not asked here.


@check()
def other_objects(client):
    refused([Reason.ITEM_NOT_FOUND, Reason.OBJECT_NOT_FOUND], client.get, "no such object")
    refused([Reason.ITEM_NOT_FOUND, Reason.OBJECT_NOT_FOUND], client.destroy, "no such object")


# Wrapping


@check()
def get_wrapped(client):
    uid, value = aes_key(client)
    wrapping, wrapping_value = aes_key(client, [Mask.WRAP_KEY], bytes(range(16)))
    wrapped = client.get(
        uid,
        {
            "wrapping_method": enums.WrappingMethod.ENCRYPT,
            "encryption_key_information": {
                "unique_identifier": wrapping,
                "cryptographic_parameters": {"block_cipher_mode": Mode.NIST_KEY_WRAP},
            },
            "encoding_option": enums.EncodingOption.NO_ENCODING,
        },
    )
    assert keywrap.aes_key_unwrap(wrapping_value, wrapped.value) == value


# Cryptography


@check(since=(1, 2))
def encrypt_and_decrypt(client):
    uid, value = aes_key(client)
    text = b"fifteen bytes.." + b"!" * 20
    iv = bytes(range(16))
    for mode, reference in [
        (Mode.CBC, modes.CBC(iv)),
        (Mode.ECB, modes.ECB()),
        (Mode.CTR, modes.CTR(iv)),
        (Mode.CFB, modes.CFB(iv)),
        (Mode.OFB, modes.OFB(iv)),
    ]:
        padded = mode in (Mode.CBC, Mode.ECB)
        parameters = {"block_cipher_mode": mode, "cryptographic_algorithm": Algorithm.AES}
        if padded:
            parameters["padding_method"] = Padding.PKCS5
        sent_iv = None if mode == Mode.ECB else iv
        ciphertext, _ = client.encrypt(text, uid, parameters, sent_iv)
        encryptor = Cipher(algorithms.AES(value), reference).encryptor()
        missing = 16 - len(text) % 16
        plain = text + bytes([missing]) * missing if padded else text
        assert ciphertext == encryptor.update(plain) + encryptor.finalize(), mode
        assert client.decrypt(ciphertext, uid, parameters, sent_iv) == text, mode


@check(since=(1, 2))
def encrypt_triple_des(client):
    value = bytes(range(24))
    uid = client.register(
        objects.SymmetricKey(Algorithm.TRIPLE_DES, 192, value, masks=ALL_MASKS, name=unique("3des"))
    )
    client.activate(uid)
    parameters = {
        "block_cipher_mode": Mode.CBC,
        "padding_method": Padding.PKCS5,
        "cryptographic_algorithm": Algorithm.TRIPLE_DES,
    }
    ciphertext, _ = client.encrypt(b"seven..", uid, parameters, b"\x01" * 8)
    encryptor = Cipher(algorithms.TripleDES(value), modes.CBC(b"\x01" * 8)).encryptor()
    assert ciphertext == encryptor.update(b"seven..\x01") + encryptor.finalize()
    assert client.decrypt(ciphertext, uid, parameters, b"\x01" * 8) == b"seven.."


@check(since=(1, 2))
def encrypt_with_an_iv_of_the_server(client):
    uid, _ = aes_key(client)
    parameters = {
        "block_cipher_mode": Mode.CBC,
        "padding_method": Padding.PKCS5,
        "cryptographic_algorithm": Algorithm.AES,
        "random_iv": True,
    }
    ciphertext, iv = client.encrypt(b"text", uid, parameters)
    assert len(iv) == 16
    assert client.decrypt(ciphertext, uid, parameters, iv) == b"text"


@check(since=(1, 4))
def encrypt_gcm(client):
    # `pie` drops the tag, so the payload is made by hand.
    uid, value = aes_key(client)
    parameters = CryptographicParameters(
        block_cipher_mode=Mode.GCM, cryptographic_algorithm=Algorithm.AES, tag_length=16
    )
    payload = payloads.EncryptRequestPayload(
        unique_identifier=uid,
        data=b"plaintext",
        cryptographic_parameters=parameters,
        iv_counter_nonce=b"\x09" * 12,
        auth_additional_data=b"associated",
    )
    answer = exchange(client, enums.Operation.ENCRYPT, payload)
    assert answer.data + answer.auth_tag == aead.AESGCM(value).encrypt(b"\x09" * 12, b"plaintext", b"associated")
    payload = payloads.DecryptRequestPayload(
        unique_identifier=uid,
        data=answer.data,
        cryptographic_parameters=parameters,
        iv_counter_nonce=b"\x09" * 12,
        auth_additional_data=b"associated",
        auth_tag=answer.auth_tag,
    )
    assert exchange(client, enums.Operation.DECRYPT, payload).data == b"plaintext"


def exchange(client, operation, payload):
    item = messages.RequestBatchItem(operation=contents.Operation(operation), request_payload=payload)
    request = client.proxy._build_request_message(None, [item])
    answer = client.proxy._send_and_receive_message(request).batch_items[0]
    assert answer.result_status.value == enums.ResultStatus.SUCCESS, answer.result_message
    return answer.response_payload


@check(since=(1, 2))
def encrypt_rsa(client):
    key, private_uid, public_uid = rsa_key(client, [Mask.DECRYPT], [Mask.ENCRYPT])
    parameters = {
        "padding_method": Padding.OAEP,
        "hashing_algorithm": Hash.SHA_256,
        "cryptographic_algorithm": Algorithm.RSA,
    }
    ciphertext, _ = client.encrypt(b"a small secret", public_uid, parameters)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    try:
        assert key.decrypt(ciphertext, oaep) == b"a small secret"
    except ValueError:
        # MGF1's hash is not said: SHA-1 is the specification's default from 1.4 on.
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA256(), None)
        assert key.decrypt(ciphertext, oaep) == b"a small secret"
    assert client.decrypt(ciphertext, private_uid, parameters) == b"a small secret"


@check(since=(1, 2))
def encrypt_rsa_pkcs1(client):
    key, private_uid, public_uid = rsa_key(client, [Mask.DECRYPT], [Mask.ENCRYPT])
    parameters = {"padding_method": Padding.PKCS1v15, "cryptographic_algorithm": Algorithm.RSA}
    ciphertext, _ = client.encrypt(b"a small secret", public_uid, parameters)
    assert key.decrypt(ciphertext, padding.PKCS1v15()) == b"a small secret"
    assert client.decrypt(ciphertext, private_uid, parameters) == b"a small secret"


@check(since=(1, 2))
def sign_and_verify(client):
    key, private_uid, public_uid = rsa_key(client, [Mask.SIGN], [Mask.VERIFY])
    for method, reference in [
        (Padding.PKCS1v15, padding.PKCS1v15()),
        (Padding.PSS, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)),
    ]:
        parameters = {
            "padding_method": method,
            "hashing_algorithm": Hash.SHA_256,
            "cryptographic_algorithm": Algorithm.RSA,
        }
        signature = client.sign(b"message", private_uid, parameters)
        key.public_key().verify(signature, b"message", reference, hashes.SHA256())
        verdict = client.signature_verify(b"message", signature, public_uid, parameters)
        assert verdict == enums.ValidityIndicator.VALID
        verdict = client.signature_verify(b"massage", signature, public_uid, parameters)
        assert verdict == enums.ValidityIndicator.INVALID


@check(since=(1, 2))
def mac(client):
    uid, value = aes_key(client, [Mask.MAC_GENERATE, Mask.MAC_VERIFY])
    found, code = client.mac(b"message", uid, Algorithm.HMAC_SHA256)
    assert found == uid
    assert code == hmac.new(value, b"message", hashlib.sha256).digest()


@check(since=(1, 2))
def usage_masks(client):
    uid, _ = aes_key(client, [Mask.DECRYPT])
    parameters = {
        "block_cipher_mode": Mode.CBC,
        "padding_method": Padding.PKCS5,
        "cryptographic_algorithm": Algorithm.AES,
    }
    refused(
        [Reason.PERMISSION_DENIED, Reason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK],
        client.encrypt,
        b"text",
        uid,
        parameters,
        bytes(16),
    )


def main():
    version = enums.KMIPVersion["KMIP_%d_%d" % (MAJOR, MINOR)]
    client = ProxyKmipClient(config_file=CONFIG, kmip_version=version)
    client.open()
    for function in CHECKS:
        error = None
        try:
            function(client)
        except Exception as caught:
            last = traceback.extract_tb(caught.__traceback__)[-1]
            text = str(caught) or type(caught).__name__
            error = "%s: %s (%s:%d)" % (type(caught).__name__, text, last.name, last.lineno)
            # What could not be decoded leaves the connection in an unknown state.
            client.close()
            client.open()
        print(json.dumps({"check": function.__name__, "error": error}), flush=True)
    client.close()


main()
