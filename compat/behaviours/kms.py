"""KMS: keys, aliases, ciphertexts."""

from __future__ import annotations

import json

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "kms/latest/developerguide/"
API = "kms/latest/APIReference/"


@behaviour(
    "kms.encrypt.roundtrip",
    "What a key encrypts is decrypted without naming the key",
    source=API + "API_Decrypt.html",
    hurts="lost",
    without="encrypted data can't be read",
    features=["keys"],
)
def roundtrip(aws: Aws) -> str | None:
    data = aws.kms.encrypt(KeyId=aws.key(), Plaintext=b"hidden")["CiphertextBlob"]
    if b"hidden" in data:
        return "the ciphertext has the plaintext in it"
    return is_met(aws.kms.decrypt(CiphertextBlob=data)["Plaintext"] == b"hidden", "the plaintext differs")


@behaviour(
    "kms.encrypt.context",
    "Decrypting with another encryption context is refused",
    source=GUIDE + "encrypt_context.html",
    hurts="open",
    without="a ciphertext is read in another context than it was made for",
)
def context(aws: Aws) -> str | None:
    data = aws.kms.encrypt(KeyId=aws.key(), Plaintext=b"a", EncryptionContext={"of": "a"})["CiphertextBlob"]
    return refused(aws.kms.decrypt, "InvalidCiphertext", CiphertextBlob=data, EncryptionContext={"of": "b"})


@behaviour(
    "kms.data_key.works",
    "GenerateDataKey gives a key and its ciphertext",
    source=API + "API_GenerateDataKey.html",
    hurts="lost",
    without="envelope encryption can't be read again",
)
def data_key(aws: Aws) -> str | None:
    made = aws.kms.generate_data_key(KeyId=aws.key(), KeySpec="AES_256")
    found = aws.kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"]
    return is_met(found == made["Plaintext"] and len(found) == 32, "the key differs")


@behaviour(
    "kms.key.disabled",
    "A disabled key encrypts nothing",
    source=GUIDE + "enabling-keys.html",
    hurts="open",
    without="a disabled key goes on working",
)
def disabled(aws: Aws) -> str | None:
    key = aws.key()
    aws.kms.disable_key(KeyId=key)
    return refused(aws.kms.encrypt, "Disabled", KeyId=key, Plaintext=b"a")


@behaviour(
    "kms.key.pending_deletion",
    "A key that is scheduled for deletion decrypts nothing, and comes back by CancelKeyDeletion, disabled",
    source=GUIDE + "deleting-keys.html",
    hurts="open",
    without="a key that is being deleted goes on working",
)
def pending(aws: Aws) -> str | None:
    key = aws.key()
    data = aws.kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    aws.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    if seen := refused(aws.kms.decrypt, "KMSInvalidState", CiphertextBlob=data):
        return seen
    aws.kms.cancel_key_deletion(KeyId=key)
    state = aws.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    return is_met(state == "Disabled", f"the key is {state}")


@behaviour(
    "kms.key.window",
    "A waiting period of less than seven days is refused",
    source=API + "API_ScheduleKeyDeletion.html",
    hurts="accepted",
    without="a waiting period that AWS refuses passes",
)
def window(aws: Aws) -> str | None:
    return refused(aws.kms.schedule_key_deletion, "Validation", KeyId=aws.key(), PendingWindowInDays=6)


@behaviour(
    "kms.key.rotation",
    "Automatic rotation and its period are read back",
    source=API + "API_GetKeyRotationStatus.html",
    hurts="differs",
    without="a key's rotation period is not read back",
    features=["keys.rotation", "keys.rotation_period_days"],
)
def rotation(aws: Aws) -> str | None:
    key = aws.key()
    aws.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    told = aws.kms.get_key_rotation_status(KeyId=key)
    found = told["KeyRotationEnabled"], told.get("RotationPeriodInDays")
    return is_met(found == (True, 180), f"rotation and period are {found[0]}, {found[1]}")


@behaviour(
    "kms.key.asymmetric",
    "An RSA and an ECC key sign, and Verify tells a wrong signature",
    source=GUIDE + "symmetric-asymmetric.html",
    hurts="missing",
    without="asymmetric keys can't be used",
    features=["keys.asymmetric"],
)
def asymmetric(aws: Aws) -> str | None:
    for spec, algorithm in (("RSA_2048", "RSASSA_PSS_SHA_256"), ("ECC_NIST_P256", "ECDSA_SHA_256")):
        given = {"KeyId": aws.key(KeyUsage="SIGN_VERIFY", KeySpec=spec), "SigningAlgorithm": algorithm}
        signed = aws.kms.sign(Message=b"a", **given)["Signature"]
        if not aws.kms.verify(Message=b"a", Signature=signed, **given)["SignatureValid"]:
            return f"the signature of {spec} is not valid"
        if seen := refused(aws.kms.verify, "KMSInvalidSignature", Message=b"b", Signature=signed, **given):
            return f"a wrong signature of {spec} is {seen}"
    return None


@behaviour(
    "kms.key.hmac",
    "An HMAC key makes a code, and VerifyMac tells a wrong one",
    source=GUIDE + "hmac.html",
    hurts="missing",
    without="HMAC keys can't be used",
    features=["keys.hmac"],
)
def hmac(aws: Aws) -> str | None:
    given = {"KeyId": aws.key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256"), "MacAlgorithm": "HMAC_SHA_256"}
    made = aws.kms.generate_mac(Message=b"a", **given)["Mac"]
    if not aws.kms.verify_mac(Message=b"a", Mac=made, **given)["MacValid"]:
        return "the code is not valid"
    return refused(aws.kms.verify_mac, "KMSInvalidMac", Message=b"b", Mac=made, **given)


@behaviour(
    "kms.alias.moves",
    "An alias stands for a key, and can be moved to another",
    source=GUIDE + "kms-alias.html",
    hurts="wrong",
    without="an alias stands for another key than was said",
)
def alias(aws: Aws) -> str | None:
    first, second, name = aws.key(), aws.key(), f"alias/{aws.name('k')}"
    aws.kms.create_alias(AliasName=name, TargetKeyId=first)
    aws.afterwards(aws.kms.delete_alias, AliasName=name)
    aws.kms.update_alias(AliasName=name, TargetKeyId=second)
    found = aws.kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"]
    if found != second:
        return "the alias stands for another key"
    return refused(aws.kms.create_alias, "AlreadyExists", AliasName=name, TargetKeyId=first)


@behaviour(
    "kms.policy.default",
    "A new key has the policy that lets its account do everything",
    source=GUIDE + "key-policy-default.html",
    hurts="differs",
    without="a key's policy reads as none",
)
def default_policy(aws: Aws) -> str | None:
    told = json.loads(aws.kms.get_key_policy(KeyId=aws.key(), PolicyName="default")["Policy"])
    allowed = [one for one in told.get("Statement", []) if one["Effect"] == "Allow" and "kms:*" in one["Action"]]
    return is_met(allowed, "the policy allows nothing")


@behaviour(
    "kms.policy.enforced",
    "A key's policy that denies encrypting refuses it",
    source=GUIDE + "key-policies.html",
    hurts="open",
    without="a key's policy is stored and not enforced",
    features=["keys.policy"],
)
def policy_enforced(aws: Aws) -> str | None:
    key = aws.key()
    root = {"AWS": f"arn:aws:iam::{aws.account}:root"}
    statements = [
        {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    aws.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document)
    return refused(aws.kms.encrypt, "AccessDenied", KeyId=key, Plaintext=b"a")


@behaviour(
    "kms.key.multi_region",
    "A multi-Region key's id begins with mrk-",
    source=GUIDE + "multi-region-keys-overview.html",
    hurts="differs",
    without="multi-Region keys can't be told from others",
    features=["keys.multi_region"],
)
def multi_region(aws: Aws) -> str | None:
    return is_met(aws.key(MultiRegion=True).startswith("mrk-"), "the id has another beginning")
