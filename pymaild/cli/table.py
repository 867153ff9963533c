"""Every command: its words, function, arguments, help and examples. The parser and the docs follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pymaild.cli.parser import Options


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument or option: its names, its help, and what argparse's add_argument() is told besides."""

    names: tuple[str, ...]
    help: str
    settings: dict[str, Any]


def arg(*names: str, help: str, **settings: Any) -> Argument:
    """A row's argument."""
    return Argument(names, help, settings)


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table."""

    words: str  # "account add"
    function: str  # "accounts.add": module of pymaild.cli and function
    help: str
    arguments: tuple[Argument, ...] = ()
    text: str = ""  # more than one line of help
    examples: tuple[str, ...] = ()

    def run(self, options: Options) -> int:
        """Import the module and call the function."""
        module, _, function = self.function.rpartition(".")
        return cast("Callable[[Options], int]", getattr(import_module(f"pymaild.cli.{module}"), function))(options)


GROUPS = {
    "account": "people who have a mailbox here",
    "domain": "domains that mail is taken for",
    "alias": "addresses that stand for others",
    "mailbox": "mailboxes that several accounts use",
    "index": "the index of an account's mail, a cache of the Maildir",
    "queue": "mail that waits to leave",
    "suppression": "addresses that mail came back from",
}

_JSON = arg("--json", action="store_true", help="print JSON, for programs")
_ADDRESS = arg("address", metavar="ADDRESS", help="the account, such as ann@example.org")
_PASSWORD = arg("--password-stdin", action="store_true", help="read the password from the first line of standard input")
_ALL = arg("--all", action="store_true", help="every account")
_ID = arg("id", metavar="ID", help="the message, as pymaild queue list shows it")
_MAYBE_ADDRESS = arg("address", metavar="ADDRESS", nargs="?", help="the account")

COMMANDS: tuple[Command, ...] = (
    Command(
        "init",
        "init.init",
        "make a mail system: folders, keys, a certificate, the first domain and account",
        (
            arg("--domain", metavar="DOMAIN", help="the first domain, such as example.org"),
            arg("--hostname", metavar="NAME", help="the name of this server; mail.DOMAIN unless said"),
            arg("--admin", metavar="ADDRESS", help="the first account, who also gets the mail to postmaster"),
            arg("--data-dir", metavar="FOLDER", help="where everything is kept, if no configuration says so yet"),
            _PASSWORD,
        ),
        text=(
            "Writes a configuration if there is none, makes its data_dir with DKIM keys and a self-signed certificate,"
            " and prints the DNS records that the domain needs. Nothing that is there is changed: it can be run again."
            " Questions are asked for what is not given. Without root, ports above 1024 are chosen."
        ),
        examples=(
            "pymaild init --domain example.org --admin ann@example.org",
            "pymaild -c ~/mail/pymaild.conf init     # asks; everything goes into ~/mail",
        ),
    ),
    Command(
        "serve",
        "serve.serve",
        "run the servers in the foreground, until SIGTERM or Ctrl-C",
        (
            arg(
                "--trace",
                metavar="FILE",
                nargs="?",
                const="-",
                help="show every protocol line as C: and S:, passwords masked, on standard error or in FILE",
            ),
        ),
        text="SIGHUP reads the certificate again and replaces the workers. systemd is told when it is ready (sd_notify).",
        examples=("pymaild serve", "pymaild serve --trace", "pymaild -c /etc/pymaild.conf serve --trace today.txt"),
    ),
    Command(
        "demo",
        "serve.demo",
        "a mail system to play with: no root, no network, nothing to configure",
        (arg("--keep", metavar="FOLDER", help="keep the data in FOLDER, and take it up again the next time"),),
        text="Two domains with people who write to each other. Prints addresses and passwords. Ctrl-C ends and removes it.",
        examples=("pymaild demo", "pymaild demo --keep ~/pymaild-demo"),
    ),
    Command(
        "config",
        "serve.config",
        "print the default configuration with its comments, or the one in force",
        (
            arg("--in-force", action="store_true", help="the values that hold now, defaults included, as JSON"),
            _JSON,
        ),
        examples=("pymaild config > pymaild.conf", "pymaild config --in-force"),
    ),
    Command(
        "account add",
        "accounts.add",
        "make an account",
        (
            _ADDRESS,
            _PASSWORD,
            arg("--admin", action="store_true", help="gets the mail to postmaster and abuse"),
            arg("--quota", metavar="SIZE", help="what it may keep, such as 5G; 0: no limit; without: [limits] quota"),
        ),
        examples=(
            "pymaild account add bob@example.org",
            "pass mail/bob | pymaild account add bob@example.org --password-stdin",
        ),
    ),
    Command(
        "account list",
        "accounts.listing",
        "list the accounts",
        (arg("domain", metavar="DOMAIN", nargs="?", help="of this domain only"), _JSON),
        examples=("pymaild account list", "pymaild account list example.org --json"),
    ),
    Command(
        "account passwd",
        "accounts.passwd",
        "set another password; every login with the old one ends",
        (_ADDRESS, _PASSWORD),
        examples=("pymaild account passwd ann@example.org",),
    ),
    Command(
        "account quota",
        "accounts.quota",
        "set how much an account may keep",
        (
            _ADDRESS,
            arg("size", metavar="SIZE", help="such as 5G; 0: no limit; default: as [limits] quota says"),
            arg("--messages", metavar="NUMBER", help="how many messages; 0: no limit; without: as it is"),
        ),
        examples=("pymaild account quota ann@example.org 5G", "pymaild account quota ann@example.org default"),
    ),
    Command(
        "account mask",
        "accounts.mask",
        "hide IMAP capabilities from an account, for mail programs that misunderstand one",
        (
            _ADDRESS,
            arg(
                "capabilities",
                metavar="CAPABILITY",
                nargs="*",
                help="all that are to be hidden, such as UTF8=ACCEPT; or none",
            ),
            _JSON,
        ),
        text="Without CAPABILITY it says what is hidden. It holds from the next login. For everybody: [imap] hide.",
        examples=(
            "pymaild account mask ann@example.org COMPRESS=DEFLATE QRESYNC",
            "pymaild account mask ann@example.org none",
            "pymaild account mask ann@example.org --json",
        ),
    ),
    Command(
        "account admin",
        "accounts.admin",
        "say whether an account gets the mail to postmaster and abuse",
        (_ADDRESS, arg("admin", metavar="yes|no", choices=("yes", "no"), help="yes or no")),
        examples=("pymaild account admin bob@example.org yes",),
    ),
    Command(
        "account disable",
        "accounts.disable",
        "let nobody log in to an account; its mail is kept and goes on arriving",
        (_ADDRESS,),
        examples=("pymaild account disable bob@example.org",),
    ),
    Command(
        "account enable",
        "accounts.enable",
        "undo account disable",
        (_ADDRESS,),
        examples=("pymaild account enable bob@example.org",),
    ),
    Command(
        "account remove",
        "accounts.remove",
        "remove an account; its mail is put aside, or deleted",
        (
            _ADDRESS,
            arg("--yes", action="store_true", help="do not ask"),
            arg("--delete-mail", action="store_true", help="delete its mail instead of putting it aside"),
        ),
        text="The mail goes to removed/ in data_dir, so that a new account of the same name starts empty.",
        examples=("pymaild account remove bob@example.org", "pymaild account remove bob@example.org --yes --delete-mail"),
    ),
    Command(
        "domain add",
        "accounts.domain_add",
        "take mail for a domain: makes its DKIM keys and prints its DNS records",
        (arg("domain", metavar="DOMAIN", help="such as example.net"),),
        examples=("pymaild domain add example.net",),
    ),
    Command("domain list", "accounts.domain_list", "list the domains", (_JSON,), examples=("pymaild domain list",)),
    Command(
        "domain remove",
        "accounts.domain_remove",
        "take no more mail for a domain; its aliases go, its accounts have to be gone",
        (arg("domain", metavar="DOMAIN", help="such as example.net"), arg("--yes", action="store_true", help="do not ask")),
        examples=("pymaild domain remove example.net",),
    ),
    Command(
        "alias add",
        "accounts.alias_add",
        "let an address stand for others",
        (
            arg("alias", metavar="ALIAS", help="such as team@example.org; @example.org: every address not there otherwise"),
            arg(
                "targets",
                metavar="TARGET",
                nargs="+",
                help="accounts or aliases of this server, or addresses elsewhere: mail is forwarded there",
            ),
        ),
        examples=(
            "pymaild alias add team@example.org ann@example.org bob@example.org",
            "pymaild alias add ann.b@example.org ann@example.org ann.b@example.com     # a copy goes on",
            "pymaild alias add @example.org ann@example.org     # a catch-all",
        ),
    ),
    Command("alias list", "accounts.alias_list", "list the aliases", (_JSON,), examples=("pymaild alias list",)),
    Command(
        "alias remove",
        "accounts.alias_remove",
        "remove an alias, or some of what it stands for",
        (
            arg("alias", metavar="ALIAS", help="such as team@example.org"),
            arg("targets", metavar="TARGET", nargs="*", help="only these; without: all of the alias"),
        ),
        examples=("pymaild alias remove team@example.org bob@example.org", "pymaild alias remove team@example.org"),
    ),
    Command(
        "mailbox share",
        "mailboxes.share",
        "let another account use a mailbox, or end that",
        (
            _ADDRESS,
            arg("mailbox", metavar="MAILBOX", help="such as INBOX or Projects/Roof"),
            arg("guest", metavar="WITH", help="another account, or anyone: every account of this server"),
            arg("rights", metavar="RIGHTS", help="none, read, seen, add, write, all, or letters as in RFC 4314"),
        ),
        text=(
            "read: see it in the list and read it (lr); seen: and mark messages as read, for everybody (lrs); add: and put"
            " messages in (lrsi); write: and change flags and remove messages (lrswite); all: and make and remove mailboxes"
            " below it, remove it, and give rights to others. Letters replace the rights there were, after + they are"
            " added. Mail programs find the mailbox below Other Users."
        ),
        examples=(
            "pymaild mailbox share ann@example.org Projects bob@example.org write",
            "pymaild mailbox share ann@example.org INBOX anyone none",
        ),
    ),
    Command(
        "mailbox shares",
        "mailboxes.shares",
        "list what an account shares, and what others share with it",
        (_ADDRESS, _JSON),
        examples=("pymaild mailbox shares ann@example.org",),
    ),
    Command(
        "import",
        "transfer.import_",
        "take mail in from mbox files, Maildirs and .eml files",
        (
            _ADDRESS,
            arg("path", metavar="PATH", help="a file, or a folder with any of them in it"),
            arg("--mailbox", metavar="NAME", help="put everything there; without: as the files and folders are named"),
            arg("--again", action="store_true", help="also what an earlier import took in already"),
            _JSON,
        ),
        text=(
            "Flags, keywords and dates come along. An import that was interrupted goes on where it stopped when it is"
            " started again; what was taken in from the same PATH before is left out."
        ),
        examples=(
            "pymaild import ann@example.org ~/Maildir",
            "pymaild import ann@example.org takeout.mbox --mailbox Archive",
        ),
    ),
    Command(
        "export",
        "transfer.export",
        "write an account's mail to a folder, as Maildir, mbox or .eml files",
        (
            _ADDRESS,
            arg("path", metavar="PATH", help="a folder; or a file that ends in .mbox, for one mailbox"),
            arg("--format", choices=("maildir", "mbox", "eml"), help="maildir unless PATH ends in .mbox"),
            arg("--mailbox", metavar="NAME", help="this mailbox only; without: all"),
            _JSON,
        ),
        text="An export to a Maildir that is run again adds what is new. pymaild import reads all three formats back.",
        examples=(
            "pymaild export ann@example.org ~/ann-backup",
            "pymaild export ann@example.org inbox.mbox --mailbox INBOX",
        ),
    ),
    Command(
        "index rebuild",
        "index.rebuild",
        "make the index of an account anew from its Maildir",
        (_MAYBE_ADDRESS, _ALL, _JSON),
        text="Nothing is lost by it: UIDs, flags and keywords are in the Maildir.",
        examples=("pymaild index rebuild ann@example.org", "pymaild index rebuild --all"),
    ),
    Command(
        "index check",
        "index.check",
        "compare index, Maildir and checksums; exit code 65 when they differ",
        (_MAYBE_ADDRESS, _ALL, _JSON),
        examples=("pymaild index check ann@example.org", "pymaild index check --all --json"),
    ),
    Command(
        "suppression list",
        "suppression.listing",
        "list the addresses an account's mail came back from for good",
        (_MAYBE_ADDRESS, _JSON),
        text="A server said that there is no such user or domain. Each goes after 90 days.",
        examples=("pymaild suppression list", "pymaild suppression list ann@example.org --json"),
    ),
    Command(
        "suppression clear",
        "suppression.clear",
        "let an account write there again",
        (_ADDRESS, arg("target", metavar="TARGET", nargs="?", help="the address on its list; without: all")),
        examples=("pymaild suppression clear ann@example.org bob@example.net", "pymaild suppression clear ann@example.org"),
    ),
    Command(
        "queue list",
        "queue.listing",
        "list what waits to be sent, and why",
        (arg("--account", metavar="ADDRESS", help="of this account only"), _JSON),
        examples=("pymaild queue list", "pymaild queue list --account ann@example.org --json"),
    ),
    Command(
        "queue show",
        "queue.show",
        "show one message: every recipient, and the last words about each",
        (_ID, _JSON),
        examples=("pymaild queue show 6f1c2a9b03de",),
    ),
    Command(
        "queue retry",
        "queue.retry",
        "try now instead of when it is due",
        (arg("id", metavar="ID", nargs="?", help="the message"), arg("--all", action="store_true", help="everything")),
        examples=("pymaild queue retry 6f1c2a9b03de", "pymaild queue retry --all     # the line works again"),
    ),
    Command(
        "queue hold",
        "queue.hold",
        "keep a message until it is released",
        (_ID, arg("--reason", metavar="WORDS", help="for whoever looks at the queue later")),
        examples=("pymaild queue hold 6f1c2a9b03de --reason 'ask Ann'",),
    ),
    Command(
        "queue release",
        "queue.release",
        "let a held message go on",
        (_ID,),
        examples=("pymaild queue release 6f1c2a9b03de",),
    ),
    Command(
        "queue remove",
        "queue.remove",
        "take a message out of the queue; its author is not told",
        (_ID,),
        examples=("pymaild queue remove 6f1c2a9b03de",),
    ),
    Command(
        "sendmail",
        "sendmail.sendmail",
        "send the message on standard input, as programs that know sendmail(8) do",
        (
            arg("recipients", metavar="ADDRESS", nargs="*", help="to whom"),
            arg("-t", action="store_true", help="also to those in To, Cc and Bcc"),
            arg("-f", "-r", dest="f", metavar="ADDRESS", help="who sends it: an address of this server; else From"),
            arg("-F", metavar="NAME", help="the name beside the address, if the message has no From"),
            arg("-i", action="store_true", help="a line with only a dot does not end the message"),
            arg("-N", metavar="WHEN", help="reports: never, or some of success,failure,delay"),
            arg("-o", metavar="OPTION", action="append", help="-oi is -i; others are ignored"),
            arg("-b", metavar="MODE", help="-bm is what it does anyway; -bp lists the queue"),
            arg("-R", "-B", "-V", "-O", dest="ignored", metavar="WORD", action="append", help="taken, and without effect"),
            arg("-v", action="store_true", help="the same"),
        ),
        text=(
            "For cron and scripts of root and of the user who owns data_dir. The author must be an address of this server;"
            " mail of a system user counts as the administrator's. A link named sendmail that leads to pymaild does the"
            " same."
        ),
        examples=(
            "printf 'Subject: hello\\n\\nhello\\n' | pymaild sendmail bob@example.org",
            "pymaild sendmail -t -i < message.eml",
        ),
    ),
)
