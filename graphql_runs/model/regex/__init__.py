"""Regular expressions that mean the same in every store and take time in proportion to the text.

The language is the part that engines agree on: literals, `.`, classes, groups, alternatives, repetition, `^` and `$`, `\\b`,
and the usual escapes, all of them ASCII. What needs backtracking (look-around, back-references, possessive and atomic groups) is no part of it.
A pattern is found anywhere in the text; `^` and `$` are its very beginning and end. `(?i)` at the start ignores the case of ASCII
letters, `(?s)` lets `.` match line feeds.

A pattern is parsed, and written anew for each engine with nothing left to dialects: RE2 (https://github.com/google/re2/wiki/Syntax)
where we match ourselves, and the common core of PCRE, Java and Python for databases.
"""

from graphql_runs.model.regex.engines import Regex, compiled

__all__ = ["Regex", "compiled"]
