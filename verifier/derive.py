"""The derivation of a rule's laws, in the order a person would write it: rule, penalty, solved decay, laws, proofs."""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass

import sympy
from sympy import Expr

from verifier import families
from verifier.families.decay import two_runs
from verifier.families.facts import coupled, decoupled_factor
from verifier.law import Inapplicable, Law, Proof, prove
from verifier.penalty import ELASTIC_NET, L1, L2, Penalty, Solution, lam, rescaled, w, weight_decay
from verifier.printing import rule_latex, rule_text, to_latex, to_text
from verifier.rule import Rule, defined_where, invariants

PENALTIES = (L2, L1, ELASTIC_NET)
WIDTH = 110


@dataclass(frozen=True)
class Derivation:
    """Everything that follows from one rule: what its decay is, and each law with its proof."""

    rule: Rule
    invariants: dict[sympy.Symbol, sympy.Set]
    where: tuple[sympy.Basic, ...]
    penalties: tuple[tuple[Penalty, Solution], ...]  # empty for a rule without weight_decay
    rescaled: Solution | None
    laws: tuple[tuple[Law, Proof], ...]
    inapplicable: dict[str, Inapplicable]
    seconds: float

    @property
    def decay(self) -> str:
        """What the rule's weight decay is, computed: coupled, decoupled with its factor, other, or none."""
        if not self.penalties:
            return "none"
        if coupled(self.rule):
            return "coupled: a step with (g, weight_decay) is a step with (g + weight_decay * theta, 0)"
        factor = decoupled_factor(self.rule)
        return f"decoupled: theta is first multiplied by {to_text(factor)}" if factor is not None else "other"


def derivation(rule: Rule) -> Derivation:
    """Every law of `rule` with its proof, and the weight_decay solved for against each penalty."""
    started = time.perf_counter()
    decays = any(s.name == "weight_decay" for s in rule.hyper)
    penalties = tuple((penalty, weight_decay(rule, penalty)) for penalty in (L2, L1)) if decays else ()
    return Derivation(
        rule=rule,
        invariants=invariants(rule),
        where=defined_where(rule),
        penalties=penalties,
        rescaled=rescaled(rule) if decays else None,
        laws=tuple((law, prove(law)) for law in families.laws(rule)),
        inapplicable=families.inapplicable(rule),
        seconds=time.perf_counter() - started,
    )


def text(found: Derivation) -> str:
    """The derivation as plain text."""
    rule = found.rule
    parts = [f"{rule.name}: {rule.cite}"]
    parts += [_wrapped(f"Departs: {rule.differs}")] if rule.differs else []
    parts += ["Rule\n" + _indented(rule_text(rule))]
    if found.invariants:
        kept = ", ".join(f"{to_text(s)} in {_interval(values)}" for s, values in found.invariants.items())
        parts.append(_wrapped(f"Kept by every step, by induction: {kept}."))
    if found.where:
        parts.append(_wrapped(f"Defined where {', '.join(to_text(c) for c in found.where)}."))
    parts.append("Penalty\n" + _indented("\n".join(_penalty_lines(found))))
    parts.append("Laws")
    for law, proof in found.laws:
        lines = [f"{law.id}: {law.says}", "", f"    {law.claim}", ""]
        if law.where:
            lines.append(_wrapped(f"Where {', '.join(law.where)}."))
        lines += [_wrapped(f"Because: {law.because}"), _wrapped(_proof_sentence(proof))]
        parts.append("\n".join(lines))
    if found.inapplicable:
        rows = [_wrapped(f"{name}: {why.reason}") for name, why in found.inapplicable.items()]
        parts.append("Not a law of this rule\n" + _indented("\n".join(rows)))
    return "\n\n".join(parts) + "\n"


def _penalty_lines(found: Derivation) -> list[str]:
    lines = []
    for penalty in PENALTIES:
        term, gradient, descent = (to_text(e) for e in (penalty.term, penalty.gradient, penalty.negative_gradient))
        line = f"{penalty.name}: {term} for each weight; gradient {gradient}; negative gradient {descent}"
        lines.append(_wrapped(line))
    lines.append(f"weight decay of the rule: {found.decay}")
    lines += [_wrapped(_solution_sentence(penalty.name, solution)) for penalty, solution in found.penalties]
    if found.rescaled is not None:
        lines.append(_wrapped(_rescaled_sentence(found.rescaled)))
    return lines


def _solution_sentence(name: str, solution: Solution) -> str:
    if solution.value is not None:
        return f"{name}: weight_decay = {to_text(solution.value)}, {solution.method}."
    if solution.witness:
        return f"{name}: no weight_decay does it. {two_runs(solution)}"
    return f"{name}: whether a weight_decay does it is undecided."


def _rescaled_sentence(solution: Solution) -> str:
    decoupled = "Fully decoupled decay, theta multiplied by 1 - lam"
    if solution.value is not None:
        return f"{decoupled}: the same with weight_decay = {to_text(solution.value)}, {solution.method}."
    if solution.witness:
        return f"{decoupled}: no weight_decay does it. {two_runs(solution)}"
    return f"{decoupled}: whether a weight_decay does it is undecided."


def _proof_sentence(proof: Proof) -> str:
    sentence = f"{proof.status.value.capitalize()}: {proof.method}"
    if proof.witness:
        sentence += ", at " + ", ".join(f"{k} = {v}" for k, v in proof.witness.items())
    return f"{sentence}. {proof.difference}".strip() if proof.difference else f"{sentence}."


def _interval(values: sympy.Set) -> str:
    high = "oo)" if values.sup == sympy.oo else f"{values.sup}]"
    return f"[{values.inf}, {high}"


def _wrapped(line: str) -> str:
    return "\n".join(textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False))


def _indented(lines: str) -> str:
    return textwrap.indent(lines, "    ")


def latex(found: Derivation) -> str:
    """The derivation as LaTeX: a section a rule, the formulas in display mathematics."""
    rule = found.rule
    parts = [rf"\section*{{{_escaped(rule.name)}}}", _escaped(rule.cite) + "."]
    parts += [_escaped(rule.differs[:1].upper() + rule.differs[1:]) + "."] if rule.differs else []
    parts.append(rule_latex(rule))
    parts.append(_display(*(_penalty_row(penalty) for penalty in PENALTIES)))
    for penalty, solution in found.penalties:
        if solution.value is not None:
            parts.append(f"{penalty.name}: {_escaped(solution.method)},")
            parts.append(_display(rf"\lambda_w &= {to_latex(solution.value)}"))
        else:
            parts.append(_escaped(_solution_sentence(penalty.name, solution)))
    if found.rescaled is not None:
        parts.append(_escaped(_rescaled_sentence(found.rescaled)))
    for law, proof in found.laws:
        parts.append(rf"\paragraph{{{_escaped(law.name)}}} {_escaped(law.says)}")
        parts.append(f"\\[ {law.latex} \\]")
        where = f"Where {_escaped(', '.join(law.where))}. " if law.where else ""
        parts.append(f"{where}{_escaped(law.because)} {_escaped(_proof_sentence(proof))}")
    return "\n\n".join(parts) + "\n"


def _penalty_row(penalty: Penalty) -> str:
    derived: Expr = penalty.negative_gradient
    return rf"-\frac{{\partial}}{{\partial w}} \left({to_latex(penalty.term)}\right) &= {to_latex(derived)}"


def _display(*rows: str) -> str:
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def _escaped(line: str) -> str:
    """Plain text as LaTeX text."""
    table = {c: rf"\{c}" for c in "_&%#{}$"} | {"^": r"\^{}", "<": r"$<$", ">": r"$>$", "|": r"$|$", "~": r"\~{}"}
    return "".join(table.get(c, c) for c in line)


__all__ = ["Derivation", "derivation", "lam", "latex", "text", "w"]
