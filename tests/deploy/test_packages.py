"""deploy/packages.sh installs what is missing, and only that: run against a Debian of our own making,
whose dpkg-query, apt-get, id and sudo write down how they were called."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

TOOLS = {
    "dpkg-query": """
for package in "$@"; do :; done
case " $HAVE " in
*" $package "*) printf 'install ok installed;' ;;
*" removed-$package "*) printf 'deinstall ok config-files;' ;;
*) exit 1 ;;
esac""",
    "apt-get": """
printf 'apt-get %s [%s]\\n' "$*" "${DEBIAN_FRONTEND-}" >>"$CALLS"
case " $* " in *" update "*) exit "${UPDATE_STATUS:-0}" ;; *) exit "${INSTALL_STATUS:-0}" ;; esac""",
    "id": 'echo "${ID:-0}"',
}
SUDO = """
printf 'sudo\\n' >>"$CALLS"
exec "$@\""""


class Packages(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)
        self.calls = self.dir / "calls"
        for name, text in TOOLS.items():
            self.add_tool(name, text)
        for name in ("sh", "env"):
            (self.dir / name).symlink_to(f"/usr/bin/{name}")

    def add_tool(self, name, text):
        path = self.dir / name
        path.write_text("#!/bin/sh\n" + text.strip() + "\n")
        path.chmod(0o755)

    def install(self, *names, function="install_packages", **environment):
        self.calls.write_text("")
        result = subprocess.run(
            ["/bin/sh", "-euc", f'. {ROOT}/deploy/packages.sh; {function} "$@"', "sh", *names],
            env={"PATH": str(self.dir), "CALLS": str(self.calls), **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return result, self.calls.read_text().splitlines()

    def test_nothing_is_called_when_everything_is_there(self):
        result, calls = self.install("gcc", "cmake", HAVE="gcc cmake")
        self.assertEqual((result.returncode, result.stdout, calls), (0, "", []))

    def test_only_the_missing_ones_are_installed_and_nobody_is_asked(self):
        result, calls = self.install("gcc", "cmake", "curl", HAVE="cmake removed-curl")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(len(calls), 2)
        self.assertIn(" update ", calls[0])
        self.assertTrue(calls[1].endswith("install --yes --no-install-recommends gcc curl "
                                          "[noninteractive]"), calls[1])

    def test_old_package_lists_may_be_good_enough(self):
        result, calls = self.install("gcc", UPDATE_STATUS="100", HAVE="")
        self.assertEqual((result.returncode, len(calls)), (0, 2), result.stdout)

    def test_an_installation_that_fails_is_a_failure(self):
        result, _ = self.install("gcc", INSTALL_STATUS="100", HAVE="")
        self.assertNotEqual(result.returncode, 0)

    def test_a_user_installs_through_sudo(self):
        self.add_tool("sudo", SUDO)
        result, calls = self.install("gcc", ID="1000", HAVE="")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual([call.split()[0] for call in calls],
                         ["sudo", "apt-get", "sudo", "apt-get"])

    def test_a_user_without_sudo_is_told_what_to_do(self):
        result, calls = self.install("gcc", "curl", ID="1000", HAVE="")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("as root: apt-get install gcc curl", result.stdout)
        self.assertEqual(calls, [])

    def test_installing_can_be_switched_off(self):
        result, calls = self.install("gcc", BREAKER_INSTALL="no", HAVE="")
        self.assertEqual((result.returncode, calls), (0, []))
        self.assertIn("gcc", result.stdout)

    def install_asleep(self, *names, **environment):
        """apt-get writes down whether a service may be started, and the policy is left as it was."""
        for name in ("rm", "chmod", "tee"):
            if not (self.dir / name).exists():
                (self.dir / name).symlink_to(f"/usr/bin/{name}")
        policy = self.dir / "policy-rc.d"
        self.add_tool("apt-get", f"""
if [ -x {policy} ]; then {policy} nginx start; echo "policy $?"; else echo "policy none"; fi >>"$CALLS"
exit "${{INSTALL_STATUS:-0}}\"""")
        result, calls = self.install(*names, function="install_packages_asleep",
                                     BREAKER_POLICY_RC_D=str(policy), **environment)
        return result, calls, policy

    def test_services_are_not_started_and_the_policy_goes_away(self):
        result, calls, policy = self.install_asleep("nginx", HAVE="")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(calls, ["policy 101"] * 2)
        self.assertFalse(policy.exists())

    def test_the_policy_goes_away_when_the_installation_fails(self):
        result, calls, policy = self.install_asleep("nginx", HAVE="", INSTALL_STATUS="100")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("policy 101", calls)
        self.assertFalse(policy.exists())

    def test_a_policy_that_was_there_stays(self):
        (self.dir / "policy-rc.d").write_text("#!/bin/sh\nexit 7\n")
        (self.dir / "policy-rc.d").chmod(0o755)
        result, calls, policy = self.install_asleep("nginx", HAVE="")
        self.assertEqual((result.returncode, calls), (0, ["policy 7"] * 2))
        self.assertIn("exit 7", policy.read_text())

    def test_a_policy_that_was_left_behind_refuses_nothing(self):
        """A kill -9 leaves it; the process that it names is gone."""
        self.add_tool("rm", "exit 0")
        result, calls, policy = self.install_asleep("nginx", HAVE="")
        self.assertEqual((result.returncode, calls), (0, ["policy 101"] * 2))
        self.assertEqual(subprocess.run([policy, "nginx", "start"], check=False).returncode, 0)

    def test_every_list_names_each_package_once(self):
        for name in ("BUILD", "QUICKSTART", "TEST", "BENCH"):
            text = subprocess.run(
                ["/bin/sh", "-euc", f'. {ROOT}/deploy/packages.sh; echo $PACKAGES_{name}'],
                env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=True).stdout
            names = text.split()
            self.assertTrue(names, name)
            self.assertEqual(sorted(names), sorted(set(names)), name)


if __name__ == "__main__":
    unittest.main()
