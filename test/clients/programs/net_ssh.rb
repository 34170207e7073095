# What the tests ask of Ruby's net-ssh. Arguments: host, port, login, key file.
require 'net/ssh'

host, port, login, key = ARGV
options = { port: port.to_i, keys: [key], keys_only: true, use_agent: false, verify_host_key: :never,
            config: false, timeout: 15, non_interactive: true, auth_methods: ['publickey'] }
Net::SSH.start(host, login, options) do |ssh|
  code = nil
  out = +''
  ssh.open_channel do |channel|
    channel.exec('cat; exit 7') do |ch, ok|
      raise 'exec' unless ok

      ch.on_data { |_, data| out << data }
      ch.on_request('exit-status') { |_, data| code = data.read_long }
      ch.send_data('in')
      ch.eof!
    end
  end
  ssh.loop
  puts "exec #{out} #{code}"
  puts "second #{ssh.exec!('echo again')}"
end
