-- A create of 3 KB, as the docker command sends one: most of it zeros.
local zeros = {}
for _, name in ipairs({"ContainerIDFile", "VolumeDriver", "CgroupnsMode", "IpcMode", "Cgroup", "PidMode", "UTSMode", "UsernsMode", "Isolation", "CgroupParent", "CpusetCpus", "CpusetMems"}) do zeros[#zeros + 1] = '"' .. name .. '":""' end
for _, name in ipairs({"VolumesFrom", "CapAdd", "CapDrop", "GroupAdd", "Links", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "DeviceCgroupRules", "DeviceRequests", "MaskedPaths", "ReadonlyPaths"}) do zeros[#zeros + 1] = '"' .. name .. '":null' end
for _, name in ipairs({"Dns", "DnsOptions", "DnsSearch", "BlkioWeightDevice", "Devices", "Ulimits", "ExtraHosts"}) do zeros[#zeros + 1] = '"' .. name .. '":[]' end
for _, name in ipairs({"AutoRemove", "Privileged", "PublishAllPorts", "ReadonlyRootfs", "OomKillDisable"}) do zeros[#zeros + 1] = '"' .. name .. '":false' end
for _, name in ipairs({"OomScoreAdj", "ShmSize", "CpuShares", "NanoCpus", "BlkioWeight", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime", "MemoryReservation", "MemorySwap", "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"}) do zeros[#zeros + 1] = '"' .. name .. '":0' end
local environment = {}
for n = 1, 40 do environment[#environment + 1] = string.format('"VARIABLE_%d=a value of some length"', n) end

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"Hostname":"","Domainname":"","User":"1000:1000","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":['
  .. table.concat(environment, ",")
  .. '],"Cmd":["make","test"],"Image":"python:3.12","Volumes":{},"WorkingDir":"/w","Entrypoint":null,"Labels":{"ci":"jenkins"},"HostConfig":{"Binds":["/srv/ci/job:/w"],"LogConfig":{"Type":"","Config":{}},"NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"ConsoleSize":[0,0],"SecurityOpt":null,"Memory":1073741824,"PidsLimit":100,"MemorySwappiness":-1,'
  .. table.concat(zeros, ",") .. '},"NetworkingConfig":{"EndpointsConfig":{}}}'
