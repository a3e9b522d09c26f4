"""The client against the official document: every operation, every parameter, every schema.

The cases of the clients' suite say what is sent. Together they must send everything that the
document has, but for what is listed here with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ephemera.wire import (
    addresses,
    certificates,
    config,
    containers,
    inside,
    models,
    orgs,
    places,
    programs,
    secrets,
    services,
    tokens,
    volumes,
)
from ephemera.wire.resource import Wire
from tests.contract.client_cases import CASES
from tests.contract.client_cases.case import Case

DOCUMENT = json.loads(
    (Path(__file__).parents[1] / "data" / "machines-openapi.json").read_text("utf-8")
)
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]

Operation = tuple[str, str]
OPERATIONS: dict[Operation, dict[str, Any]] = {
    (method.upper(), path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method in ("get", "put", "post", "patch", "delete")
}

#: What no method sends, and why.
NEVER_SENT = {
    ("GET", "/v1/apps/{app_name}/machines/{machine_id}/wait", "instance_id"): (
        "the older name of `version`"
    ),
    ("POST", "/v1/apps/{app_name}/machines/{machine_id}/exec", "cmd"): "deprecated for `command`",
    ("POST", "/v1/apps/{app_name}/machines/{machine_id}", "name"): "cannot be changed",
    ("POST", "/v1/apps/{app_name}/machines/{machine_id}", "region"): "cannot be changed",
    ("POST", "/v1/apps/{app_name}/secretkeys/{secret_name}/generate", "value"): (
        "the API makes it; a key of one's own is `set`"
    ),
}

#: Schemas without a type of their own, and why.
NO_TYPE = {
    "ErrorResponse": "is read by client/refusals.py and becomes an exception",
    "main.statusCode": "is the `code` of an exception, a plain word",
    "metadataValueResponse": "is read as the value in it",
    "IPAssignmentType": "is a list of words: wire.addresses.IpType",
    "placement.Weights": "is a mapping of words to numbers",
    "resset.Action": "is a sum of numbers",
    "fly.ContainerDependencyCondition": "is a word",
    "fly.ContainerHealthcheckKind": "is a word",
    "fly.ContainerHealthcheckScheme": "is a word",
    "fly.UnhealthyPolicy": "is a word",
}

TYPES: dict[str, type[Wire]] = {
    "AcmeChallenge": certificates.AcmeChallenge,
    "App": models.App,
    "AppOrganizationInfo": models.Organization,
    "AppSecret": secrets.AppSecret,
    "AppSecrets": secrets.AppSecrets,
    "AppSecretsUpdateResp": secrets.SecretsChange,
    "AssignIPResponse": addresses.AssignedIp,
    "CertificateCheckResponse": certificates.CheckedCertificate,
    "CertificateDetail": certificates.Certificate,
    "CertificateEntry": certificates.CertificateEntry,
    "CertificateSummary": certificates.CertificateSummary,
    "CertificateValidation": certificates.CertificateValidation,
    "CertificateValidationError": certificates.CertificateProblem,
    "CheckStatus": models.CheckStatus,
    "CreateAppResponse": tokens.DeployToken,
    "CurrentTokenResponse": tokens.CurrentTokens,
    "DNSRecords": certificates.DnsRecords,
    "DNSRequirements": certificates.DnsRequirements,
    "DecryptSecretkeyResponse": secrets.Decrypted,
    "DeleteAppSecretResponse": secrets.SecretRemoval,
    "DeleteSecretkeyResponse": secrets.SecretRemoval,
    "EncryptSecretkeyResponse": secrets.Encrypted,
    "ExtendVolumeResponse": volumes.ExtendedVolume,
    "IPAssignment": addresses.IpAssignment,
    "IPPair": addresses.IpPair,
    "ImageRef": models.ImageRef,
    "IssuedCertificate": certificates.IssuedCertificate,
    "Lease": models.Lease,
    "ListAppsResponse": models.AppList,
    "ListenSocket": inside.ListenSocket,
    "Machine": models.Machine,
    "MachineEvent": models.MachineEvent,
    "MachineOverviewConfig": orgs.MachineOverview,
    "MachineVersion": models.MachineVersion,
    "OrgMachine": orgs.OrgMachine,
    "OrgMachinesResponse": orgs.OrgMachinesPage,
    "OrgVolume": orgs.OrgVolume,
    "OrgVolumesResponse": orgs.OrgVolumesPage,
    "OwnershipVerification": certificates.OwnershipVerification,
    "ProcessStat": inside.ProcessStat,
    "SecretKey": secrets.SecretKey,
    "SecretKeys": secrets.SecretKeys,
    "SetAppSecretResponse": secrets.SecretChange,
    "SetSecretkeyResponse": secrets.SecretKeyChange,
    "SignSecretkeyResponse": secrets.Signed,
    "StrippedLease": models.LeaseSummary,
    "Volume": volumes.Volume,
    "VolumeSnapshot": volumes.VolumeSnapshot,
    "WaitMachineResponse": models.WaitResult,
    "authorizeResponse": tokens.Authorization,
    "destroyCustomCertificateResponse": certificates.RemovedCertificate,
    "fly.ContainerConfig": containers.Container,
    "fly.ContainerDependency": containers.ContainerDependency,
    "fly.ContainerHealthcheck": containers.ContainerHealthcheck,
    "fly.DNSConfig": config.Dns,
    "fly.dnsForwardRule": config.DnsForwardRule,
    "fly.dnsOption": config.DnsOption,
    "fly.EnvFrom": programs.EnvFrom,
    "fly.ExecHealthcheck": containers.ExecHealthcheck,
    "fly.File": programs.File,
    "fly.HTTPHealthcheck": containers.HttpHealthcheck,
    "fly.HTTPOptions": services.HttpOptions,
    "fly.HTTPResponseOptions": services.HttpResponseOptions,
    "fly.MachineCacheDrive": config.CacheDrive,
    "fly.MachineCheck": services.Check,
    "fly.MachineConfig": config.MachineConfig,
    "fly.MachineGuest": config.Guest,
    "fly.MachineHTTPHeader": services.HttpHeader,
    "fly.MachineInit": programs.Init,
    "fly.MachineMetrics": services.Metrics,
    "fly.MachineMount": config.Mount,
    "fly.MachinePort": services.Port,
    "fly.MachineProcess": programs.Process,
    "fly.MachineRestart": programs.Restart,
    "fly.MachineRootfs": config.Rootfs,
    "fly.MachineSecret": programs.MachineSecret,
    "fly.MachineService": services.Service,
    "fly.MachineServiceCheck": services.ServiceCheck,
    "fly.MachineServiceConcurrency": services.Concurrency,
    "fly.MachineSpot": config.Spot,
    "fly.ProxyProtoOptions": services.ProxyProtoOptions,
    "fly.ReplayCache": services.ReplayCache,
    "fly.Static": services.Static,
    "fly.StopConfig": programs.StopConfig,
    "fly.TCPHealthcheck": containers.TcpHealthcheck,
    "fly.TLSOptions": services.TlsOptions,
    "flydv1.ExecResponse": models.ExecResult,
    "flyio.Access": tokens.GrantedAccess,
    "listCertificatesResponse": certificates.CertificatesPage,
    "listIPAssignmentsResponse": addresses.IpAssignments,
    "macaroon.CaveatSet": tokens.Caveats,
    "macaroon.Nonce": tokens.TokenNonce,
    "main.TokenAccess": tokens.TokenAccess,
    "main.getPlacementsResponse": places.Placements,
    "main.memoryResponse": inside.Memory,
    "main.reclaimMemoryResponse": inside.ReclaimedMemory,
    "main.regionResponse": places.Regions,
    "main.regionRow": places.Region,
    "main.tokenInfo": tokens.TokenInfo,
    "placement.RegionPlacement": places.RegionPlacement,
    "root.VerifiedToken": tokens.VerifiedToken,
}

#: Two spellings of one field: the answers have both.
OTHER_SPELLING = {"Version": "version"}


def _cases_of(operation: Operation) -> list[Case]:
    method, path = operation
    pattern = re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(path))
    return [
        case
        for cases in CASES.values()
        for case in cases
        if re.fullmatch(f"{method} {pattern}", case.request.partition("?")[0])
    ]


def _schema(of: dict[str, Any]) -> dict[str, Any]:
    reference = of.get("$ref")
    return SCHEMAS[reference.rpartition("/")[2]] if reference else of


def _body_schemas() -> Iterator[str]:
    """Yield the names of the schemas of whole request bodies."""
    for operation in OPERATIONS.values():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield content["schema"]["$ref"].rpartition("/")[2]


def _parameters(operation: Operation) -> set[str]:
    """Return the names of what an operation takes in its query and in its body."""
    described = OPERATIONS[operation]
    query = {p["name"] for p in described.get("parameters", []) if p["in"] == "query"}
    contents = described.get("requestBody", {}).get("content", {})
    bodies = [_schema(content["schema"]).get("properties", {}) for content in contents.values()]
    return query.union(*bodies)


def _sent(operation: Operation) -> set[str]:
    sent: set[str] = set()
    for case in _cases_of(operation):
        query = {name for name, _ in parse_qsl(urlsplit(case.request.split(" ")[1]).query)}
        sent |= {"metadata.{key}" if name.startswith("metadata.") else name for name in query}
        sent |= set(case.body) if isinstance(case.body, dict) else set()
    return sent


def _name(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def test_the_document_is_whole() -> None:
    assert len(OPERATIONS) == 76


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
def test_every_operation_has_a_method(operation: Operation) -> None:
    assert _cases_of(operation)


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
def test_every_parameter_can_be_sent(operation: Operation) -> None:
    excepted = {name for *where, name in NEVER_SENT if tuple(where) == operation}
    assert _parameters(operation) - _sent(operation) == excepted


def test_every_exception_is_about_something_in_the_document() -> None:
    assert all(name in _parameters((method, path)) for method, path, name in NEVER_SENT)
    assert SCHEMAS.keys() > TYPES.keys() | NO_TYPE.keys()


@pytest.mark.parametrize("schema", sorted(SCHEMAS.keys() - set(_body_schemas()) - NO_TYPE.keys()))
def test_every_schema_has_a_type_with_all_of_its_fields(schema: str) -> None:
    kind = TYPES[schema]
    named = {OTHER_SPELLING.get(name, name) for name in SCHEMAS[schema]["properties"]}
    assert named <= kind.model_fields.keys()
