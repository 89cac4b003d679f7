using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>A key as docs/configuration.md describes it.</summary>
internal sealed record KeyReference(string Path, string Type, string Default, string Meaning);

/// <summary>
/// One mapping of exporter.yml while it is read. Each call names a key, its type, its default and its meaning: what is asked
/// for is what is allowed, what is documented, and what "did you mean" knows. Errors are collected, never thrown; a value that
/// could not be read is its type's default, and nobody sees it because <see cref="ConfigurationErrors"/> throws at the end.
/// </summary>
internal sealed class Section
{
    private const string ListMark = "[]";

    private readonly Reading reading;
    private readonly string path;
    private readonly Position at;
    private readonly Dictionary<string, YamlEntry> entries = new(StringComparer.Ordinal);
    private readonly HashSet<string> known = new(StringComparer.Ordinal);
    private readonly HashSet<string> refused = new(StringComparer.Ordinal);

    private Section(Reading reading, string path, Position at, IEnumerable<YamlEntry> given)
    {
        this.reading = reading;
        this.path = path;
        this.at = at;
        foreach (var entry in given)
        {
            if (!entries.TryAdd(entry.Key, entry))
            {
                Error(entry.At, entry.Key, $"is given twice: first on line {entries[entry.Key].At.Line}");
            }
        }
    }

    /// <summary>What all sections of one file share. With <c>Reference</c>, nothing is read and every key is noted there.</summary>
    private sealed record Reading(
        string Directory, Func<string, string?> Environment, ConfigurationErrors Errors, List<KeyReference>? Reference);

    /// <summary>True while the reference is made: there are no values to check.</summary>
    public bool Describing => reading.Reference is not null;

    /// <param name="root">Null for an empty file.</param>
    /// <param name="directory">Where relative paths in the file begin.</param>
    /// <param name="environment">Environment variables by name.</param>
    public static T? ReadFile<T>(
        YamlNode? root, string directory, Func<string, string?> environment, ConfigurationErrors errors, Func<Section, T> read)
        where T : class =>
        new Section(new(directory, environment, errors, null), "", Position.None, []).Read(root ?? new YamlMap(new(1, 1), []), "", read);

    public static IReadOnlyList<KeyReference> Describe<T>(Func<Section, T> read)
    {
        var keys = new List<KeyReference>();
        read(new Section(new("", _ => null, new ConfigurationErrors(""), keys), "", Position.None, []));
        return keys;
    }

    public T Required<T>(string key, ValueType<T> type, string meaning)
    {
        Note(key, type.Name, "required", meaning);
        if (!entries.ContainsKey(key) && !Describing)
        {
            Error(key, $"is required: {type.Expected}");
        }

        return TryValue(key, type, out var value) ? value : default!;
    }

    /// <param name="fallback">The default, as it would be written in the file.</param>
    public T Optional<T>(string key, ValueType<T> type, string fallback, string meaning)
    {
        Note(key, type.Name, $"`{fallback}`", meaning);
        return TryValue(key, type, out var value) ? value : type.Parse(fallback);
    }

    /// <param name="absent">What holds when the key is not given, for the reference.</param>
    public T? Maybe<T>(string key, ValueType<T> type, string absent, string meaning)
        where T : class
    {
        Note(key, type.Name, absent, meaning);
        return TryValue(key, type, out var value) ? value : null;
    }

    /// <inheritdoc cref="Maybe{T}"/>
    public T? MaybeValue<T>(string key, ValueType<T> type, string absent, string meaning)
        where T : struct
    {
        Note(key, type.Name, absent, meaning);
        return TryValue(key, type, out var value) ? value : null;
    }

    /// <summary>A list of single values.</summary>
    public ImmutableArray<T> Many<T>(string key, ValueType<T> type, ImmutableArray<string> fallback, string meaning)
    {
        Note(key, $"list of {type.Name}s", $"`[{string.Join(", ", fallback.Select(f => $"\"{f}\""))}]`", meaning);
        if (!entries.TryGetValue(key, out var entry))
        {
            return [.. fallback.Select(type.Parse)];
        }

        if (entry.Value is YamlList { Items.Count: 0 })
        {
            Error(key, $"expected a list, each item {type.Expected}, found an empty list");
            return [];
        }

        return Items(key, entry.Value, type);
    }

    /// <summary>A list of single values that may be empty, as it is when it is not given.</summary>
    public ImmutableArray<T> ManyOrNone<T>(string key, ValueType<T> type, string meaning)
    {
        Note(key, $"list of {type.Name}s", "`[]`", meaning);
        return entries.TryGetValue(key, out var entry) ? Items(key, entry.Value, type) : [];
    }

    private ImmutableArray<T> Items<T>(string key, YamlNode node, ValueType<T> type)
    {
        if (node is not YamlList list)
        {
            Error(key, $"expected a list, each item {type.Expected}, found {node.Kind}");
            return [];
        }

        var values = ImmutableArray.CreateBuilder<T>();
        for (var i = 0; i < list.Items.Count; i++)
        {
            if (TryParse(list.Items[i], $"{key}[{i}]", type, out var value))
            {
                values.Add(value);
            }
        }

        return values.ToImmutable();
    }

    /// <summary>A mapping from names that the reader chooses, in the order of the file.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Pairs(
        string key, ValueType<string> nameType, ValueType<string> valueType, string meaning)
    {
        Note(key, $"{nameType.Name}: {valueType.Name}", "none", meaning);
        if (!entries.TryGetValue(key, out var entry) || entry.Value.IsNull)
        {
            return [];
        }

        if (entry.Value is not YamlMap map)
        {
            Error(key, $"expected a mapping, found {entry.Value.Kind}");
            return [];
        }

        var inner = new Section(reading, Under(key), map.At, map.Entries);
        var pairs = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (var (name, value) in inner.entries)
        {
            if (inner.TryParse(new YamlText(value.At, name, plain: false), name, nameType, out _)
                && inner.TryParse(value.Value, name, valueType, out var text))
            {
                pairs.Add(new(name, text));
            }
        }

        return pairs.ToImmutable();
    }

    /// <summary>A nested mapping; null when it is not given.</summary>
    public T? Child<T>(string key, Func<Section, T?> read, string meaning)
        where T : class
    {
        Note(key, "section", "none", meaning);
        return Describing ? Describe(Under(key), read)
            : entries.TryGetValue(key, out var entry) ? Read(entry.Value, Under(key), read)
            : null;
    }

    /// <summary>A nested mapping whose keys all have defaults.</summary>
    public T ChildOrDefault<T>(string key, Func<Section, T> read, string meaning)
        where T : class =>
        Child(key, read, meaning) ?? read(new Section(reading with { Reference = null }, Under(key), at, []));

    /// <summary>A list of nested mappings, each with a name of its own.</summary>
    /// <param name="identityKey">The key whose value must differ from item to item.</param>
    /// <param name="clash">What is wrong with the second of two items of different names beside the first; null: nothing.</param>
    public ImmutableArray<T> List<T>(
        string key, Func<Section, T> read, Func<T, string?> identity, string identityKey, string meaning, Func<T, T, string?>? clash = null)
        where T : class
    {
        Note(key, "list", "none", meaning);
        if (Describing)
        {
            Describe(Under(key) + ListMark, read);
            return [];
        }

        if (!entries.TryGetValue(key, out var entry) || entry.Value.IsNull)
        {
            return [];
        }

        if (entry.Value is not YamlList list)
        {
            Error(key, $"expected a list: begin each item with '- ', found {entry.Value.Kind}");
            return [];
        }

        var values = ImmutableArray.CreateBuilder<T>();
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        var items = new List<(T Value, Section? Item)>();
        for (var i = 0; i < list.Items.Count; i++)
        {
            var itemPath = $"{Under(key)}[{i}]";
            Section? item = null;
            if (Read(list.Items[i], itemPath, s => read(item = s)) is not { } value)
            {
                continue;
            }

            values.Add(value);
            if (identity(value) is { } name && !seen.TryAdd(name, itemPath))
            {
                item?.Error(identityKey, $"{Printable.Quoted(name)} is taken by {seen[name]}: each needs a name of its own");
            }
            else if (items.Select(other => (other.Item, Reason: clash?.Invoke(other.Value, value))).FirstOrDefault(other => other.Reason is not null) is (var first, { } reason))
            {
                item?.Error($"{reason} ({first?.path}, line {first?.at.Line})");
            }

            items.Add((value, item));
        }

        return values.ToImmutable();
    }

    /// <summary>Exactly one of several nested mappings.</summary>
    public T? OneOf<T>(params ReadOnlySpan<(string Key, Func<Section, T> Read, string Meaning)> choices)
        where T : class
    {
        T? chosen = null;
        string? first = null;
        var keys = new List<string>();
        foreach (var (key, read, meaning) in choices)
        {
            keys.Add(key);
            var value = Child(key, read, meaning);
            if (!entries.ContainsKey(key))
            {
                continue;
            }

            if (first is not null)
            {
                Error(entries[key].At, key, $"only one of {string.Join(", ", choices.ToArray().Select(c => c.Key))} can be given, and {first} is");
            }

            first ??= key;
            chosen ??= value;
        }

        if (first is null && !Describing && refused.Count == 0)
        {
            Error(at, "", $"needs one of {string.Join(", ", keys)}");
        }

        return chosen;
    }

    /// <summary><c>NAME_file</c> or <c>NAME_env</c>, exactly one of them, and readable now.</summary>
    public Secret Secret(string name, string meaning)
    {
        var (fileKey, variableKey) = ($"{name}_file", $"{name}_env");
        var file = Maybe(fileKey, Values.Text, $"this or `{variableKey}`", $"File that holds {meaning}; read whenever it is needed.");
        var variable = Maybe(variableKey, Values.EnvironmentVariable, $"this or `{fileKey}`", $"Environment variable that holds {meaning}.");
        if (entries.TryGetValue(name, out var inline) && refused.Add(name))
        {
            Error(inline.At, name, $"secrets do not belong in this file: use {fileKey} or {variableKey}");
        }
        else if (entries.TryGetValue(variableKey, out var second) && entries.ContainsKey(fileKey))
        {
            Error(second.At, variableKey, $"only one of {fileKey}, {variableKey} can be given");
        }
        else if (!entries.ContainsKey(fileKey) && !entries.ContainsKey(variableKey) && !Describing)
        {
            Error(at, "", $"needs one of {fileKey}, {variableKey}");
        }

        if (file is not null)
        {
            return Readable(fileKey, Configuration.Secret.FromFile(fileKey, Path.GetFullPath(file, reading.Directory)),
                Path.IsPathRooted(file) ? "" : "; a relative path begins at the directory of the configuration file");
        }

        return variable is null ? null! : Readable(variableKey, Configuration.Secret.FromEnvironment(variableKey, () => reading.Environment(variable)), "");
    }

    private Secret Readable(string key, Secret secret, string hint)
    {
        try
        {
            _ = secret.Read();
        }
        catch (SecretException e)
        {
            Error(key, e.Reason + hint);
        }

        return secret;
    }

    /// <summary>Keys that the project knows and this version does not act on: a key that does nothing would be a lie.</summary>
    public void NotSupported(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
        {
            if (entries.TryGetValue(key, out var entry) && refused.Add(key))
            {
                Error(entry.At, key, "is not supported by this version");
            }
        }
    }

    /// <summary>The key is given, if only with nothing behind it.</summary>
    public bool Has(string key) => entries.ContainsKey(key);

    /// <summary>The key is given, and names at least one item.</summary>
    public bool HasItems(string key) =>
        entries.TryGetValue(key, out var entry) && !entry.Value.IsNull && entry.Value is not YamlList { Items.Count: 0 };

    /// <summary>Reports at the key's value, or where the section begins when the key is not given.</summary>
    public void Error(string key, string message) =>
        Error(entries.TryGetValue(key, out var entry) ? entry.Value.At : at, key, message);

    /// <summary>Reports at the section itself.</summary>
    public void Error(string message) => Error(at, "", message);

    private void Error(Position position, string key, string message) => reading.Errors.Add(position, Under(key), message);

    private bool TryValue<T>(string key, ValueType<T> type, out T value)
    {
        value = default!;
        return entries.TryGetValue(key, out var entry) && TryParse(entry.Value, key, type, out value);
    }

    private bool TryParse<T>(YamlNode node, string key, ValueType<T> type, out T value)
    {
        value = default!;
        if (node is not YamlText { IsNull: false } text)
        {
            Error(node.At, key, $"expected {type.Expected}, found {node.Kind}");
            return false;
        }

        try
        {
            value = type.Parse(text.Value);
            return true;
        }
        catch (FormatException e)
        {
            Error(node.At, key, e.Message);
            return false;
        }
    }

    private T? Read<T>(YamlNode node, string nodePath, Func<Section, T?> read)
        where T : class
    {
        if (node is not YamlMap && !node.IsNull)
        {
            reading.Errors.Add(node.At, nodePath, $"expected a mapping of keys, found {node.Kind}");
            return null;
        }

        var section = new Section(reading, nodePath, node.At, node is YamlMap map ? map.Entries : []);
        var value = read(section);
        section.RefuseUnknown();
        return value;
    }

    private void RefuseUnknown()
    {
        foreach (var (key, entry) in entries)
        {
            if (!known.Contains(key) && !refused.Contains(key))
            {
                var hint = Suggestion.Hint(key, known);
                Error(entry.At, key, $"unknown key{(hint.Length > 0 ? hint : $": allowed are {string.Join(", ", known)}")}");
            }
        }
    }

    private T? Describe<T>(string nodePath, Func<Section, T?> read)
        where T : class =>
        read(new Section(reading, nodePath, Position.None, []));

    private void Note(string key, string type, string fallback, string meaning)
    {
        known.Add(key);
        reading.Reference?.Add(new(Under(key), type, fallback, meaning));
    }

    private string Under(string key) =>
        key.Length == 0 ? path : path.Length == 0 ? Printable.Text(key) : $"{path}.{Printable.Text(key)}";
}
