// The arrows between folders (docs/architecture.md). A new arrow is drawn there first, then allowed here.
const only = (name, from, allowed, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from, pathNot: '\\.test\\.ts$' },
  to: { path: '^(src|proxy|policies|recordings|console|test|bench)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphan-import', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'nothing-imports-cli',
      severity: 'error',
      from: { pathNot: '^(src/cli|test)/' },
      to: { path: '^src/cli/' },
    },
    only('terminal-is-pure', '^proxy/terminal/', '^proxy/terminal/', 'pure: imports nothing of ours'),
    only(
      'gate-is-pure',
      '^proxy/gate/',
      '^(proxy/gate|proxy/terminal|policies)/',
      'a pure state machine over key tokens, the line reader and policy verdicts',
    ),
    only('policies-are-pure', '^policies/', '^policies/', 'pure: imports nothing of ours'),
    only('transport-knows-no-layer-above', '^proxy/transport/', '^proxy/transport/'),
    only(
      'proxy-stays-in-the-data-plane',
      '^proxy/',
      '^(proxy|policies|recordings)/',
      'the rest comes by interfaces that proxy declares',
    ),
    only('recordings-stand-alone', '^recordings/', '^recordings/'),
    only('behaviour-is-pure', '^src/behaviour/', '^src/behaviour/'),
    only('store-knows-no-domain', '^src/store/', '^src/store/'),
    only(
      'directory-rests-on-store',
      '^src/directory/',
      '^(src/(directory|store)/|proxy/[^/]+/ports\\.ts$)',
      'the ports are types: what proxy declares and the directory fulfils',
    ),
    only(
      'audit-rests-on-store',
      '^src/audit/',
      '^(src/(audit|store|directory)/|policies/|proxy/login/|proxy/[^/]+/ports\\.ts$)',
      'the ports are types; proxy/login checks who the user is once more',
    ),
    only('events-rest-on-store', '^src/events/', '^src/(events|store|behaviour)/'),
    only(
      'oversight-rests-on-the-directory',
      '^src/oversight/',
      '^(src/(oversight|events|behaviour|store|directory|audit)/|proxy/login/|proxy/[^/]+/ports\\.ts$)',
      'behaviour over the store; the ports are types, proxy/login checks who the user is once more',
    ),
    only(
      'api-is-part-of-the-control-plane',
      '^src/api/',
      '^(src/(?!cli/)|policies/|recordings/|proxy/login/)',
      'it reaches live sessions through the control socket only',
    ),
    only(
      'siem-reads-the-event-log',
      '^src/siem/',
      '^src/(siem|store|behaviour|config)/',
      'events come from the store; the settings of outputs are types of the configuration',
    ),
    only(
      'audit-queue-rests-on-store',
      '^src/audit-queue/',
      '^src/(audit-queue|store|behaviour|events|directory)/',
    ),
    only(
      'exceptions-rest-on-store',
      '^src/exceptions/',
      '^src/(exceptions|store|behaviour|events|directory|audit)/',
    ),
    only(
      'credentials-rest-on-directory',
      '^src/credentials/',
      '^(src/(credentials|store|behaviour|events|directory|oversight|audit-queue)/|proxy/(device|transport|login)/)',
      'rotation signs in to the device as a session does',
    ),
    only('ueba-rests-on-store', '^src/ueba/', '^src/(ueba|store|behaviour|events|directory)/'),
    only('config-stands-alone', '^src/config/', '^src/config/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
