# Two images: `exporter` (for production; the simulator is left out) and `simulator` (for docker-compose.yml).
#   docker build --target exporter -t pipeline-exporter .

# The patch of .NET is left open on purpose: a rebuild takes the fixes of the base image with it.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS source
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY exporter/Exporter.csproj exporter/
COPY simulator/Simulator.csproj simulator/
COPY simulator/Host/Simulator.Host.csproj simulator/Host/

FROM source AS build-exporter
# Native AOT links with clang and zlib.
RUN apt-get update \
 && apt-get install -y --no-install-recommends clang zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
ARG PUBLISH="-p:PublishAot=true -p:WithSimulator=false --use-current-runtime"
RUN dotnet restore exporter/Exporter.csproj $PUBLISH
COPY exporter/ exporter/
COPY prometheus/runbooks/ prometheus/runbooks/
RUN dotnet publish exporter/Exporter.csproj --no-restore -c Release $PUBLISH -o /app \
 && rm -f /app/*.dbg

FROM source AS build-simulator
RUN dotnet restore simulator/Host/Simulator.Host.csproj
COPY simulator/ simulator/
RUN dotnet publish simulator/Host/Simulator.Host.csproj --no-restore -c Release -o /app

FROM mcr.microsoft.com/dotnet/runtime-deps:10.0 AS exporter
# curl asks /-/ready for the health check.
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o "$APP_UID" -g "$APP_UID" /var/lib/pipeline-exporter
# The program, with the runbooks in it, and libe_sqlite3.so beside it.
COPY --from=build-exporter /app/ /app/
USER $APP_UID
VOLUME /var/lib/pipeline-exporter
EXPOSE 9894
ENTRYPOINT ["/app/pipeline-exporter"]
CMD ["--config.file=/etc/pipeline-exporter/exporter.yml", "--storage.path=/var/lib/pipeline-exporter"]

FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS simulator
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build-simulator /app/ /app/
USER $APP_UID
EXPOSE 9895 9896
ENTRYPOINT ["dotnet", "/app/pipeline-simulator.dll"]
CMD ["--listen-address=0.0.0.0:9895", "--smtp-listen-address=0.0.0.0:9896"]
