"""remote-first: from a clone to a shared AKS dev cluster, and a fast loop there every day."""

import sys

if __name__ == "__main__":  # scripts/inv: `import tasks` finds the package tasks/ beside this file
    import _signal  # signal itself would first import enum and what that needs

    # An interrupt before main takes it ends the process without a traceback. This comes first: scripts/inv starts
    # Python without its module site, so that nothing is imported before.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if sys.flags.no_site:
        import site

        site.main()
    from tasks.core.cli.program import main

    main()
else:  # plain `invoke` loads this file as the module `tasks`: make room for the package
    del sys.modules[__name__]
    from tasks import ns as ns
    from tasks.core.process.interrupt import take_signals

    take_signals()
