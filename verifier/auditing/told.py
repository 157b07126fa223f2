"""The report of an audit as a person reads it first: what each optimizer is, what is wrong with it, what to know."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from verifier import rules
from verifier.auditing import dying
from verifier.auditing.causes import FORMULA, law_of, subject_of
from verifier.auditing.findings import Finding
from verifier.auditing.needs import IN_A_GROUP

WIDTH = max(40, min(100, shutil.get_terminal_size((100, 24)).columns))
"""Columns of the report: the terminal's, 100 at most, and in a pipe."""

OUT = Path("reports/audit")
"""The folder in which an audit leaves its evidence, scripts and replays, where nobody says otherwise."""

READABLE = 700
"""Characters of a formula that a terminal shows: eight lines, beyond which nobody reads it there."""

LONGEST = 240
"""Characters of a difference of formulas that are shown; all of it is in report.json."""


def text(report: Any) -> str:
    """The report: what each target is, what is wrong with it, what is worth knowing, and the last line."""
    lines: list[str] = []
    described = {str(t["target"]): t for t in report.targets}
    for target in sorted({str(r.get("target")) for r in report.rows} | set(described)):
        rows = [r for r in report.rows if r.get("target") == target]
        lines += _head(target, described.get(target), rows)
        findings = [f for f in report.findings if f.target == target]
        for number, finding in enumerate(findings, 1):
            lines += ["", *shown(number, finding, report.options.out, _performed(described.get(target), finding))]
        lines += _worth_knowing(described.get(target), {law_of(row) for f in findings for row in f.rows})
        lines.append("")
    for name, why in sorted(report.left_out.items()):
        lines += _wrapped(f"not audited: {name}, {why}", "", "    ")
    return "\n".join([*lines, report.last_line])


def _wrapped(words: str, first: str, rest: str) -> list[str]:
    """Lines of at most `WIDTH` columns; names are not broken at their hyphens."""
    return textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _head(target: str, described: Mapping[str, Any] | None, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first lines: what the optimizer is."""
    counts = Counter("expected" if r.get("expected_failure") else str(r["verdict"]) for r in rows)
    tally = ", ".join(f"{n} {word}" for word, n in counts.most_common())
    lines = [target, *_headed("rows", f"{len(rows)}: {tally}")]
    if described is None or "lift" not in described:
        return lines + [
            line for r in rows if r["verdict"] == "untestable" for line in _headed("untestable", r["reason"])
        ]
    lift = described.get("lift") or {}
    formula = str(lift.get("formula") or f"not read: {lift.get('stopped_by')}")
    formula += "; g2 is the gradient that the closure gives the second time" if re.search(r"\bg2\b", formula) else ""
    lines += _headed("formula", _cut(formula, READABLE))
    lines += _headed("weight decay", str(lift.get("decay") or described.get("weight_decay")))
    proof = described.get("proof") or {}
    if lift.get("whole_tensors"):
        lines += _headed("rule", lift["whole_tensors"])
    if described.get("rule_source") == "matched":
        where = f", where {' and '.join(proof['where'])}" if proof.get("where") else ""
        where += ", of vectors alone" if described.get("of_vectors") else ""
        lines += _headed("rule", f"{described['rule']}: proved, for every number of steps{where}")
    elif described.get("rule_source") == "declared":
        lines += _headed("rule", f"{described['rule']}, as declared")
    elif proof.get("relation"):
        lines += _headed(
            "rule", _by_its_name(str(proof["relation"])) + (", of vectors alone" if described.get("of_vectors") else "")
        )
    elif proof.get("status") == "proved" and not proof.get("mutant"):
        where = f" where {' and '.join(proof['where'])}" if proof.get("where") else ""
        lines += _headed("rule", f"{proof['rule']}{where}: proved of what was read, and not held to it in numbers")
    elif proof.get("rule"):
        words = f"none known; nearest {proof['rule']}"
        words += f", which {_as_mutant(proof)}" if proof.get("mutant") else ""
        difference = str(proof.get("difference"))
        differs = f": the code's {proof.get('variable') or 'theta'} differs by {difference}"
        far = ", which is another formula (the difference is in report.json)"
        apart = f": {proof['apart']}" if proof.get("apart") else differs if len(difference) <= LONGEST else far
        lines += _headed("rule", words + apart)
    return lines


def _headed(name: str, words: str) -> list[str]:
    return _wrapped(words, f"    {name:<15} ", " " * 20)


def _cut(formula: str, most: int = LONGEST) -> str:
    return formula if len(formula) <= most else f"{formula[:most]} ... (all of it in report.json)"


def _apart(difference: str) -> str:
    """What two formulas differ by; of two terms that are alike, where they differ."""
    if difference.startswith(("the code ", "in ", "not ")):  # in words already
        return difference.replace("not expressible", "the two differ by what is not expressible")
    depth, ends = 0, []
    for k, sign in enumerate(difference):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and difference[k : k + 3] in (" + ", " - "):
            ends.append(k)
    terms = [difference[a:b].removeprefix(" - ") for a, b in zip([0, *ends], [*ends, None], strict=True)]
    if len(terms) == 2 and difference[ends[0]] == " " and difference[ends[0] + 1] == "-":
        found = _unlike(*terms)
        if found is not None and max(map(len, found)) < 0.7 * len(terms[0]):
            return f"one has {found[0]} where the other has {found[1]}"
    return f"the code's differs from the rule's by {_cut(difference)}"


def _unlike(one: str, other: str) -> tuple[str, str] | None:
    """The smallest parts by which two terms differ that are whole: brackets closed, no name cut; None: all of it."""
    start = _alike(one, other)
    end = min(_alike(one[::-1], other[::-1]), min(len(one), len(other)) - start)
    for wider in range(2 * NEAR):
        for before in range(min(wider, start) + 1):
            after = wider - before
            if after > end:
                continue
            parts = [term[start - before : len(term) - end + after] for term in (one, other)]
            sides = (one[:1] if start == before else one[start - before - 1], (one + " ")[len(one) - end + after])
            whole = start == before or sides[0] in " ("
            if whole and sides[1] in " )" and all(_balanced(part) for part in parts):
                return parts[0], parts[1]
    return None


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


NEAR = 80
"""Characters around where two terms differ that are looked at."""


def _balanced(part: str) -> bool:
    depth = 0
    for sign in part:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0 and part == part.strip() and part[:1] not in ("", "+", "*", "/") and part[-1] not in "+-*/"


def _as_mutant(proof: Mapping[str, Any]) -> str:
    return f"with the known mistake {str(proof['mutant']).partition('__')[2]} it equals"


def _performed(described: Mapping[str, Any] | None, finding: Finding) -> str:
    """The known rule that the implementation performs which a finding blames, where the for-loop performs none."""
    forms = {subject_of(row).rpartition("-")[2] for row in finding.rows} if law_of(finding.law) in FORMULA else set()
    return str(((described or {}).get("performs") or {}).get(forms.pop(), "")) if len(forms) == 1 else ""


def shown(number: int, finding: Finding, out: Path = OUT, performed: str = "") -> list[str]:
    """One finding, on one screen: what is wrong, where it was seen, by how much, and what it takes.

    `out` is the folder of the audit, which a replay has to be told where it is not the usual one; `performed` the rule
    that the implementation performs which departs from the for-loop.
    """
    known = f" (listed: {finding.expected_failure})" if finding.expected_failure else ""
    lines = _wrapped(f"{title(finding)}{known}", f"  {number}. ", "     ")
    law = "determinism" if finding.unsteady else law_of(finding.law)
    if says := _promise(law):
        lines += _field("promised", says)
    if finding.formula and finding.formula != title(finding):
        lines += _field("formula", _by_its_name(_apart(finding.formula)))
    own = finding.subject.rpartition("-")[2]
    if performed:
        lines += _field("but", f"the {own} code performs {performed}, as proved: most likely the for-loop is wrong")
    if finding.equals:
        named = " " in finding.equals  # in words; by its name alone where no one looked it up
        lines += _field("equals", _by_its_name(finding.equals if named else f"the known mistake {finding.equals}"))
    seen = finding.seen
    place = [f"{name} {seen[key]}" for name, key in PLACE if seen.get(key) is not None]
    lines += _field(
        "seen on", ": ".join([str(seen.get("on") or finding.subject), *([", ".join(place)] if place else [])])
    )
    if (seen.get("observed") or seen.get("expected")) and seen.get("observed") != finding.formula:
        observed, expected = _plain(seen.get("observed")), _plain(seen.get("expected"))
        far = _far(observed, expected, seen.get("ulps"))
        lines += _field("observed", observed + (f" of the {own} code" if performed else ""))
        lines += _field("expected", expected + (" of the for-loop" if performed else "") + far)
    elif not seen.get("observed"):  # or it is said above, as the formula
        lines += _field("message", finding.message)
    if finding.only:
        lines += _field("only", f"in {', '.join(finding.only)}; the others that were tried keep the promise")
    if finding.replay:
        lines += _field("matters", _what_matters(finding))
    if finding.also:
        said = {"implementation": "another", " {rule}": "", "of_groups": "", "of_state": ""}
        lines += _field("also seen", f"as: {'; '.join(_in_words(one, said) for one in finding.also)}")
    lines += _field("rows", _rows(finding.rows))
    if finding.repro:
        path, ran = f"     script    {near(finding.repro)}", "(it was run: it exits 1)"  # a path stays in one line
        lines += [f"{path} {ran}"] if len(path) + len(ran) < WIDTH else [path, f"{'':15}{ran}"]
    elif finding.no_script:
        lines += _field("script", f"none: {finding.no_script}")
    if finding.replay:
        elsewhere = f" --out {near(str(out))}" if out != OUT else ""
        lines.append(f"     again     verifier replay {finding.replay}{elsewhere}")
    return lines


PLACE = (("step", "step"), ("parameter", "tensor"), ("element", "element"))
"""What a place is called, and its name in a row."""

TITLES: tuple[tuple[str, str], ...] = (
    (r"^raises (?:Escaped: )?(.*)$", r"a step raises \1"),
    (r"^differs from the for-loop$", r"the {implementation} implementation steps otherwise than the for-loop"),
    (r"^differs from the for-loop in what it keeps \((\w+)\)$", r"{implementation} keeps another \1 than the for-loop"),
    (r"^the (\w+) code does not perform the rule (\S+)$", r"the \1 code is not the update rule \2"),
    (r"^(\w+) (?:\(group \d+\) )?is not what the rule read out of the code gives$",
     r"\1 is not what the optimizer's own update rule makes it, as read out of its code"),
    (r"^(\w+) left its enclosure$", r"\1 is not what the update rule {rule} makes it"),
    (r"^(\w+) is not what the update rule makes it$", r"\1 is not what the update rule {rule} makes it"),
    (r"^maximize differs from negated gradients$", r"maximize = True is not the descent of the negated gradients"),
    (r"^depends on (.*)$", r"an element's step depends on \1"),
    (r"^moved although its .grad is None$", r"a parameter is moved although its .grad is None"),
    (r"^\.grad was changed by the step$", r"step() changes .grad"),
    (r"^moves otherwise because another parameter has no gradient$",
     r"a parameter moves otherwise because another has no gradient"),
    (r"^differs after (.*)$", r"the run goes on otherwise after \1"),
    (r"^resumed from a state_dict(?: \((\w+)\))?, it goes on differently$",
     r"the run goes on otherwise after load_state_dict{of_state}"),
    (r"^a second run of the same case differs$", r"the same run, done twice, ends differently"),
    (r"^a group moves otherwise than alone$",
     r"a parameter group moves otherwise than in an optimizer of its own{of_groups}"),
    (r"^cannot be run$", r"no step can be taken"),
    (r"^ends its process$", r"using it ends its process"),
)  # fmt: skip
"""How a violation is told to somebody who has not seen the laws: pattern, and what stands for it."""


OF_A_RULE = r"left its enclosure$|is not what the update rule makes it$"
AS_READ = rf"{OF_A_RULE}|is not what the rule read out of the code gives$"
BY_THE_LOOP = "is not what the for-loop's code makes it"
"""What is told of an implementation that departs from what was read out of the for-loop, which is no rule by name."""


CATALOGUE = frozenset({*rules.names(), *rules.published()})
"""Names of rules that readers know."""


def _by_its_name(words: str) -> str:
    """Words in which rules of the catalogue that are written by other conventions have their plain names."""
    return re.sub(r"\b(\w+)_variant\b", lambda m: m[1] if m[1] in CATALOGUE else m[0], words)


def title(finding: Finding) -> str:
    """What is wrong, in a sentence of the field's words."""
    said = str(finding.seen.get("what") or finding.what)
    said = finding.what if finding.unsteady or finding.what.startswith("raises") else said
    if law_of(finding.law) == "implements" and finding.formula.startswith("the code is "):
        return finding.formula
    said = dying.ENDS if dying.is_end(str(finding.seen.get("observed"))) else said
    own = next((text for text in finding.matters if "groups that differ in" in text), "")
    names = own.partition("differ in ")[2]
    given = next((text.removeprefix(IN_A_GROUP) for text in finding.matters if text.startswith(IN_A_GROUP)), "")
    if given and law_of(finding.law) == "groups":
        plural = "" if "," in given else "s"
        return f"{_and(given)} given to a parameter group act{plural} otherwise than given to the constructor"
    rule = _by_its_name(finding.law.partition(".")[0])
    of_loop = rule not in CATALOGUE and rule.startswith(finding.target.rpartition(":")[2].lower())
    if of_loop and finding.subject.rpartition("-")[2] != "forloop":
        apart = not any(row.endswith("-forloop") for row in finding.rows)
        said = re.sub(AS_READ if apart else OF_A_RULE, BY_THE_LOOP, said)
    words = {
        "implementation": subject_of("@" + finding.subject).rpartition("-")[2],
        "rule": rule,
        "of_groups": f": {_and(names)} of one group act{'' if ',' in names else 's'} on another" if names else "",
        "of_state": f": state is missing, or changed, in {_what_state(said)}" if _what_state(said) else "",
    }
    return _by_its_name(_in_words(said, words)) + _when(finding)


def _and(names: str) -> str:
    """Names with commas between them, as a sentence has them."""
    head, comma, last = names.rpartition(", ")
    return f"{head} and {last}" if comma else last


def _in_words(said: str, words: Mapping[str, str]) -> str:
    """What went wrong, told to somebody who has not seen the laws; `words` stand for the names in `TITLES`."""
    plain = re.sub(r" \((?!group)(\w+)\)$", "", said) if said.startswith("resumed") else said
    for pattern, told in TITLES:
        if re.search(pattern, plain):
            said = re.sub(pattern, told, plain)
            for name, word in words.items():
                said = said.replace(name if "{" in name else f"{{{name}}}", word)
            break
    return said


def _when(finding: Finding) -> str:
    """Of a step that is not the formula's: with which options, and where alone, as far as that is short."""
    if law_of(finding.law) not in FORMULA:
        return ""
    needed = [text for text in finding.matters if re.fullmatch(r"\w+ = (True|False|'\w+')", text)]
    settings = {text.partition(" = ")[0] for text in finding.matters}
    needed += [name for name in finding.needs or () if name in settings and name not in needed]
    only = [place for place in finding.only if " and " not in place]
    return (f", with {_and(', '.join(needed))}" if needed else "") + "".join(f", in {p} alone" for p in only[:1])


def _what_state(said: str) -> str:
    """The state that a violation of a resumed run names."""
    found = re.search(r"goes on differently \((\w+)\)$", said)
    return found[1] if found else ""


def _field(name: str, words: str) -> list[str]:
    return _wrapped(words, f"     {name:<9} ", " " * 15)


def _promise(law: str) -> str:
    """What the broken law says."""
    from verifier.contract_table import CONTRACTS

    said = {row.name: row.says for row in CONTRACTS}
    said["step_follows"] = said["long_follows"] = "Every step is the update rule's, up to rounding."
    said["long_run"] = "A long run stays with the rule read out of the code."
    said["as_read"] = "Every step is that of the rule read out of the code, in every format, size and layout."
    said["implements"] = "The code performs the update rule."
    said["life"] = "Whatever happens in its life, each parameter moves as it would alone, and by its rule."
    if law.startswith("accepted_options"):
        return "What the constructor accepts as an option, steps can be taken with."
    return said.get(law, "")


def _plain(value: Any) -> str:
    """A number without the hexadecimal form beside it, which scripts and results keep."""
    return re.sub(r" \(-?0x[0-9a-f.]+p[+-]\d+\)", "", str(value))


def _far(observed: str, expected: str, ulps: Any) -> str:
    """A distance in words: of what was expected, where that is one number, and in units in the last place."""
    if ulps is None:
        return ""
    number = float(ulps)
    if number != number or number == float("inf"):
        return ", infinitely far away"
    told = f"{number:,.0f} ulp" if number < 1e6 else f"{number:.1e} ulp"
    try:
        share = abs(float(observed) / float(expected) - 1)
    except (ValueError, ZeroDivisionError):
        return f", {told} away"
    if share >= 10:
        return f", {told} away: it is off by {share:.2g}"
    return f", {told} away: it is off by {share:.2%}" if share >= 1e-4 else f", {told} away"


def _what_matters(finding: Finding) -> str:
    names = set(re.findall(r"\w+", " ".join(finding.matters)))
    others = [name for name in finding.settings if name not in names]
    told = "; ".join(finding.matters) or "no option: it is seen at the defaults"
    return f"{told}. Not: {', '.join(others)}" if others else told


def _rows(rows: Sequence[str]) -> str:
    """How many rows show it, of which laws, and where."""
    laws = Counter(law_of(row) for row in rows)
    subjects = sorted({subject_of(row) for row in rows})
    where = ", ".join(subjects[:4]) + (f" and {len(subjects) - 4} more" if len(subjects) > 4 else "")
    return f"{len(rows)}: {', '.join(sorted(laws))}; on {where}"


def near(path: str) -> str:
    """The path from here, where it is below here."""
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else str(Path(near))


KEPT = "keeps the rates it was built with"
SCHEDULES = frozenset({"schedule", "scheduled_lr"})
"""How a convention begins, and the laws it is at odds with."""


def _worth_knowing(described: Mapping[str, Any] | None, broken: Set[str]) -> list[str]:
    """Conventions and notes, which are not bugs; not that rates are kept, where that breaks a law about schedules."""
    lines: list[str] = []
    for kind, name in (("convention", "conventions, not bugs"), ("note", "notes, harmless by themselves")):
        said = [str(words) for k, words in (described or {}).get("notes", ()) if k == kind]
        said = [words for words in said if not (words.startswith(KEPT) and broken & SCHEDULES)]
        if said:
            lines += ["", f"  {name}"]
            for words in said:
                lines += _wrapped(words, "   - ", "     ")
    return lines
