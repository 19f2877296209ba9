"""Coming from another proxy: its configuration, read into a policy.

    variables.py   the classic proxies' variables: CONTAINERS=1 POST=0
    flags.py       wollomatic/socket-proxy's flags and variables: -allowGET=REGEX
    rules_file.py  cetusguard's rules: GET %API_PREFIX_CONTAINERS%/json
    regexes.py     which rows of the table a regular expression takes in
    repetition.py  what an expression is made of, and whether it could take for ever to match
    stricter.py    what no migration gives
    migration.py   the nouns, and the YAML that is written
    rows.py        from rows to the lines that select them
    sources.py     files of variables, and compose files

Law: never wider than the old proxy, and every place where it is narrower is told. Pure: text in, text out.
"""
