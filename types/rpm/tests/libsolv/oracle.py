#!/usr/bin/env python3
"""Asks libsolv which packages a recursive copy brings, in the way Pulp 2 asked it (pulp2/rpm-copy#dependencies).

Reads one JSON object a line and answers one a line: {"found": the packages to copy as [source, number], "problems": texts,
"dummies": what was taken to be there because nobody provides it}.

  {"mode": "relaxed" | "conservative" | "replacing", "sources": [[package, ...], ...], "target": [package, ...],
   "chosen": [number in the first source, ...]}

A package is {"name", "evr", "arch", "provides", "requires", "recommends"}; dependencies are texts such as "a >= 1:2-3"
or "(a if b)". "conservative" lets versions of one package stand beside each other, as they do in a repository;
"replacing" is what Pulp did: a newer version takes the place of an older one until that makes a problem.
"""
import json
import sys

import solv

MULTI = solv.Job.SOLVER_MULTIVERSION
INSTALL = solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE


def dep(pool, text):
    if text.startswith("("):
        return pool.parserpmrichdep(text)
    name, *rest = text.split(" ")
    found = pool.Dep(name)
    if rest:
        flags = sum({"<": solv.REL_LT, "=": solv.REL_EQ, ">": solv.REL_GT}[c] for c in rest[0])
        found = found.Rel(flags, pool.Dep(rest[1]))
    return found


def load(pool, name, packages):
    repo = pool.add_repo(name)
    added = []
    for package in packages:
        s = repo.add_solvable()
        s.name, s.evr, s.arch = package["name"], package["evr"], package["arch"]
        s.add_deparray(solv.SOLVABLE_PROVIDES, pool.rel2id(pool.str2id(s.name), pool.str2id(s.evr), solv.REL_EQ))
        for key, where in (("provides", solv.SOLVABLE_PROVIDES), ("requires", solv.SOLVABLE_REQUIRES),
                           ("recommends", solv.SOLVABLE_RECOMMENDS)):
            for text in package.get(key, ()):
                s.add_deparray(where, dep(pool, text))
        added.append(s)
    return repo, added


def relaxed(pool, target, chosen):
    seen, queue = set(), list(chosen)
    while queue:
        s = queue.pop()
        if s.id in seen:
            continue
        seen.add(s.id)
        for key in (solv.SOLVABLE_REQUIRES, solv.SOLVABLE_RECOMMENDS):
            for need in s.lookup_deparray(key):
                newest = {}
                for provider in pool.whatprovides(need):
                    best = newest.get(provider.name)
                    if best is None or provider.evrcmp(best) > 0:
                        newest[provider.name] = provider
                queue.extend(p for p in newest.values() if p.repo != target)
    return seen, set(), []


def conservative(pool, target, chosen, multi):
    jobs = [pool.Job(INSTALL, s.id) for s in chosen]
    if multi:
        jobs.append(pool.Job(MULTI | solv.Job.SOLVER_SOLVABLE_ALL, 0))
    before, dummies = None, []
    while True:
        solver = pool.Solver()
        problems = solver.solve(jobs)
        now = {str(p) for p in problems}
        if not problems or now == before:
            break
        before = now
        for problem in problems:
            for rule in problem.findallproblemrules():
                for info in rule.allinfos():
                    if info.type == solv.Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP:
                        dummy = target.add_solvable()
                        dummy.name, dummy.evr, dummy.arch = "dummy-%d" % dummy.id, "1-1", "noarch"
                        dummy.add_deparray(solv.SOLVABLE_PROVIDES, info.dep)
                        dummies.append(str(info.dep))
                    elif info.type == solv.Solver.SOLVER_RULE_PKG_SAME_NAME:
                        jobs += [pool.Job(INSTALL | MULTI, s.id) for s in (info.solvable, info.othersolvable)]
        pool.createwhatprovides()
    return {s.id for s in solver.transaction().newsolvables()} | {s.id for s in chosen}, now, dummies


def answer(ask):
    pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    numbers, chosen = {}, []
    for at, packages in enumerate(ask["sources"]):
        _, added = load(pool, "source-%d" % at, packages)
        numbers.update({s.id: [at, n] for n, s in enumerate(added)})
        if at == 0:
            chosen = [added[n] for n in ask["chosen"]]
    target, _ = load(pool, "target", ask["target"])
    pool.installed = target
    pool.addfileprovides()
    pool.createwhatprovides()
    if ask["mode"] == "relaxed":
        found, problems, dummies = relaxed(pool, target, chosen)
    else:
        found, problems, dummies = conservative(pool, target, chosen, ask["mode"] == "conservative")
    return {"found": sorted(numbers[i] for i in found if i in numbers), "problems": sorted(problems), "dummies": dummies}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
