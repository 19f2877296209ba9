-- A create that is refused.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"Image":"python:3.12","HostConfig":{"Privileged":true,"Memory":1073741824,"PidsLimit":100}}'
