"""deploy/compose.yaml and deploy/kubernetes: read as YAML, and checked against each other, the
Dockerfile, and what the programs accept. No engine and no cluster is needed."""

import json
import os
import pathlib
import re
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TALKJSD_BIN", ROOT / "build/release/bin"))
SOCKET_DIRECTORY, STATE_DIRECTORY = "/run/talkjsd", "/var/lib/talkjsd"


def load(path):
    return list(yaml.safe_load_all((ROOT / path).read_text()))


def dockerfile():
    """The final image's instructions: (name, value), continuation lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(r"^([A-Z]+) (.*)$", text, re.M)


def instruction(name):
    return [value for each, value in dockerfile() if each == name][-1]


class Programs(unittest.TestCase):
    """Command lines in manifests are taken apart by the programs themselves."""

    def check_arguments(self, words):
        """Everything before the daemon would be asked: wrong arguments exit with 2."""
        words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(word)) for word in words]
        words = ["/dev/null" if re.match(r"/(etc/talkjs|run/secrets)/", word) else word
                 for word in words]
        self.assertEqual(words[0], "talkjsctl")
        result = subprocess.run(
            [BIN / "talkjsctl", "--timeout", "0.1", "--address", "/nowhere", *without_timeout(words[1:])],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        # An empty key file is what is complained of last, before a daemon is looked for.
        if result.returncode == 2 and "is empty" in result.stderr:
            return
        self.assertEqual(result.returncode, 3, result.stderr)


def without_timeout(words):
    words = list(words)
    if "--timeout" in words:
        at = words.index("--timeout")
        del words[at:at + 2]
    return words


class Image(Programs):

    def test_it_runs_without_root_and_writes_into_its_volumes_alone(self):
        self.assertEqual(instruction("USER"), "10001:10001")
        self.assertEqual(json.loads(instruction("VOLUME")), [SOCKET_DIRECTORY, STATE_DIRECTORY])
        # No flags, which would win over a configuration file: its defaults are in the environment.
        self.assertEqual(json.loads(instruction("ENTRYPOINT")), ["/usr/bin/talkjsd"])
        environment = instruction("ENV").split()
        self.assertIn(f"RUNTIME_DIRECTORY={SOCKET_DIRECTORY}", environment)
        self.assertIn(f"STATE_DIRECTORY={STATE_DIRECTORY}", environment)
        self.assertIn(f"TALKJSD_ADDRESS=unix://{SOCKET_DIRECTORY}/talkjsd.sock", environment)

    def test_its_health_check_is_a_command_of_talkjsctl(self):
        self.check_arguments(json.loads(instruction("HEALTHCHECK").split("CMD ")[1]))


class Compose(Programs):

    def setUp(self):
        (self.file,) = load("deploy/compose.yaml")
        self.services = self.file["services"]

    def test_everything_runs_locked_down(self):
        for name, service in self.services.items():
            with self.subTest(name):
                self.assertTrue(service["read_only"])
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])

    def test_clients_share_the_socket_by_group(self):
        self.assertIn(f"socket:{SOCKET_DIRECTORY}", self.services["talkjsd"]["volumes"])
        self.assertIn(f"state:{STATE_DIRECTORY}", self.services["talkjsd"]["volumes"])
        group = instruction("USER").split(":")[1]
        for name in ("session", "app"):
            service = self.services[name]
            self.assertIn(f"socket:{SOCKET_DIRECTORY}:ro", service["volumes"])
            self.assertEqual(service["group_add"], [group])
            self.assertNotEqual(service["user"].split(":")[0], "10001")

    def test_volumes_and_secrets_exist(self):
        for service in self.services.values():
            for volume in service.get("volumes", []):
                self.assertIn(volume.split(":")[0], self.file["volumes"])
            for secret in service.get("secrets", []):
                self.assertIn(secret, self.file["secrets"])
            for needed in service.get("depends_on", {}):
                self.assertIn(needed, self.services)

    def test_commands_are_understood(self):
        for name in ("session", "app"):
            service = self.services[name]
            self.check_arguments(service["entrypoint"] + service.get("command", []))


class Kubernetes(Programs):

    def setUp(self):
        (self.set,) = [document for path in sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
                       for document in load(path)]
        self.spec = self.set["spec"]["template"]["spec"]
        self.daemon, self.session = self.spec["initContainers"]
        (self.app,) = self.spec["containers"]

    def test_the_set_selects_its_pods(self):
        labels = self.set["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(self.set["spec"]["selector"]["matchLabels"], labels)

    def test_the_daemon_is_a_native_sidecar(self):
        self.assertEqual(self.daemon["restartPolicy"], "Always")
        self.assertNotIn("restartPolicy", self.session)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            with self.subTest(probe):
                command = self.daemon[probe]["exec"]["command"]
                self.check_arguments(command)
                self.assertIn("health", command)
                # The command gives up by itself before it is given up.
                self.assertLess(int(command[command.index("--timeout") + 1]),
                                self.daemon[probe]["timeoutSeconds"])
                self.assertGreater(self.daemon[probe]["periodSeconds"], 0)
        # As long as its sessions take to be restored, it is not killed.
        startup = self.daemon["startupProbe"]
        self.assertGreaterEqual(startup["periodSeconds"] * startup["failureThreshold"], 60)

    def test_everything_runs_locked_down(self):
        pod = self.spec["securityContext"]
        self.assertTrue(pod["runAsNonRoot"])
        self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
        for container in (self.daemon, self.session, self.app):
            with self.subTest(container["name"]):
                context = container["securityContext"]
                self.assertFalse(context["allowPrivilegeEscalation"])
                self.assertTrue(context["readOnlyRootFilesystem"])
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
        # The image's own user is not root, and the clients' is another one.
        self.assertNotIn("runAsUser", self.daemon["securityContext"])
        self.assertEqual(self.app["securityContext"]["runAsUser"], 20001)

    def test_clients_share_the_socket_by_group(self):
        self.assertEqual(str(self.spec["securityContext"]["fsGroup"]),
                         instruction("USER").split(":")[1])
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        volumes.update({claim["metadata"]["name"]: claim
                        for claim in self.set["spec"]["volumeClaimTemplates"]})
        mounts = {}
        for container in (self.daemon, self.session, self.app):
            for mount in container["volumeMounts"]:
                self.assertIn(mount["name"], volumes)
                mounts[container["name"], mount["name"]] = mount
        self.assertIn("emptyDir", volumes["socket"])
        self.assertEqual(mounts["talkjsd", "socket"]["mountPath"], SOCKET_DIRECTORY)
        self.assertEqual(mounts["talkjsd", "state"]["mountPath"], STATE_DIRECTORY)
        self.assertEqual(mounts["app", "socket"]["mountPath"], SOCKET_DIRECTORY)
        self.assertTrue(mounts["app", "socket"]["readOnly"])
        # Secrets are files, for the group, in a directory that follows the Secret.
        self.assertEqual(volumes["talkjs"]["secret"]["defaultMode"], 0o440)
        self.assertNotIn("subPath", mounts["session", "talkjs"])

    def test_commands_are_understood(self):
        self.check_arguments(self.session["command"] + self.session["args"])
        self.check_arguments(self.app["command"])
        help_text = subprocess.run([BIN / "talkjsd", "--help"], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout
        for flag in self.daemon["args"]:
            self.assertIn(f"  {flag.split('=')[0]} ", help_text)


if __name__ == "__main__":
    unittest.main()
