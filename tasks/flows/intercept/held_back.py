"""Variables of a pod that make programs on this machine run or load something else.

Anyone who may change the pod's environment could run code here with them, and their values name files and hosts of the
cluster. They are held back from the local process unless the catalogue allows them by name (`dev.allow`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_PATTERNS = (
    # Shells: files and functions that they run, and prompts that they expand, see bash(1) and zsh(1)
    r"BASH_ENV|ENV|BASH_FUNC_.*|BASH_LOADABLES_PATH|BASHOPTS|SHELLOPTS|PROMPT_COMMAND|PS[0-4]|CDPATH|GLOBIGNORE"
    r"|ZDOTDIR|FPATH|INPUTRC",
    # The loader and libc, see ld.so(8), iconv_open(3), resolver(5)
    r"LD_\w+|DYLD_\w+|GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|LOCPATH|NLSPATH|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS",
    # Node and its package managers, see node(1) and npm-config(7)
    r"NODE_OPTIONS|NODE_PATH|NODE_REPL_EXTERNAL_MODULE|NODE_EXTRA_CA_CERTS|NODE_COMPILE_CACHE|ESBUILD_BINARY_PATH|(?i:npm_config_\w+|pnpm_config_\w+)"
    r"|COREPACK_\w+|YARN_(?!VERSION)\w+|BUN_OPTIONS|BUN_CONFIG_\w+|TS_NODE_\w+",
    # Python and its installers, see python(1)
    r"PYTHON(STARTUP|PATH|HOME|INSPECT|BREAKPOINT|WARNINGS|USERBASE|EXECUTABLE|PLATLIBDIR|PYCACHEPREFIX)"
    r"|PYTEST_(ADDOPTS|PLUGINS)|PIP_\w+|UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|PYTHON|CONFIG_FILE)",
    # Other interpreters and virtual machines
    r"PERL5\w+|PERLLIB|RUBY(OPT|LIB|SHELL)|RUBYGEMS_GEMDEPS|GEM_(HOME|PATH)|BUNDLE_(GEMFILE|PATH|APP_CONFIG|BIN)|IRBRC|PHPRC|PHP_INI_SCAN_DIR"
    r"|LUA_(INIT|PATH|CPATH)\w*|R_(PROFILE|ENVIRON|LIBS)\w*|ERL_\w*FLAGS|ERL_LIBS|ELIXIR_ERL_OPTIONS|TCLLIBPATH",
    r"JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|JAVA_OPTS|CATALINA_OPTS|MAVEN_(OPTS|ARGS)|GRADLE_OPTS|CLASSPATH"
    r"|DOTNET_(STARTUP_HOOKS|ADDITIONAL_DEPS|SHARED_STORE|ROOT)|CORECLR_\w+|COR_(ENABLE_PROFILING|PROFILER\w*)"
    r"|ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
    # Compilers and build tools that run programs named in a variable
    r"GO(FLAGS|ENV|PROXY|TOOLCHAIN|AUTH|CACHEPROG|PACKAGESDRIVER)|CGO_\w+|CC|CXX|RUSTC\w*|RUSTFLAGS|RUSTUP_\w+|CARGO_\w+|(GNU)?MAKEFLAGS|MAKEFILES",
    # git, see git(1) and git-config(1), and what else runs a program named in a variable
    r"GIT_(SSH\w*|CONFIG\w*|EXEC_PATH|EXTERNAL_DIFF|PAGER|EDITOR|SEQUENCE_EDITOR|ASKPASS|PROXY_COMMAND|TEMPLATE_DIR"
    r"|DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|ALLOW_PROTOCOL|SSL_\w+)",
    r"SUDO_ASKPASS|SVN_SSH|CVS_RSH|RSYNC_RSH|HGRCPATH|PAGER|MANPAGER|LESS|LESSOPEN|LESSCLOSE|VISUAL|BROWSER|VIMINIT|EXINIT"
    r"|TAR_OPTIONS|WGETRC|CURL_HOME|NETRC|GNUPGHOME|PSQLRC|KUBE_EDITOR|KUBECTL_EXTERNAL_DIFF|TERMINFO|TERMINFO_DIRS|TERMCAP",
    # Where connections go and whom they trust: proxies and certificate files of the cluster
    r"(?i:(https?|ftp|all|no|ws|wss|socks|grpc)_proxy)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|AWS_CA_BUNDLE|DENO_CERT|HTTPLIB2_CA_CERTS|GRPC_DEFAULT_SSL_ROOTS_FILE_PATH|SSLKEYLOGFILE"
    r"|OPENSSL_(CONF|CONF_INCLUDE|MODULES|ENGINES)",
)  # fmt: skip
_RUNS_SOMETHING_ELSE = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.DOTALL)


def is_held_back(name: str, allowed: Iterable[str] = ()) -> bool:
    """Is the variable held back from a process on this machine?"""
    return _RUNS_SOMETHING_ELSE.fullmatch(name) is not None and name not in allowed
